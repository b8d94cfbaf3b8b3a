//! Names of Windows editions by product number (enrollment reference 2.7, MS-MDE2 2.2.9.6).

/// The edition of a product number, where it has a usual name.
pub(super) fn name(number: u32) -> Option<&'static str> {
    NAMES.iter().find(|(own, _)| *own == number).map(|(_, name)| *name)
}

const NAMES: &[(u32, &str)] = &[
    (4, "Enterprise"),
    (27, "Enterprise N"),
    (48, "Pro"),
    (49, "Pro N"),
    (72, "Enterprise Evaluation"),
    (98, "Home N"),
    (100, "Home Single Language"),
    (101, "Home"),
    (119, "Team"),
    (121, "Education"),
    (122, "Education N"),
    (123, "IoT Core"),
    (125, "Enterprise LTSC"),
    (126, "Enterprise LTSC N"),
    (127, "Pro S"),
    (135, "Holographic"),
    (136, "Holographic for Business"),
    (161, "Pro for Workstations"),
    (162, "Pro for Workstations N"),
    (164, "Pro Education"),
    (175, "Enterprise multi-session"),
    (188, "IoT Enterprise"),
    (191, "IoT Enterprise LTSC"),
];
