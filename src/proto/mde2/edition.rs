//! Names of Windows editions.

/// What people call the edition with this `OSEdition` number ([MS-MDE2] 2.2.9.6); `None` for one without a name here.
#[must_use]
pub fn os_edition_name(number: u32) -> Option<&'static str> {
    EDITIONS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

const EDITIONS: [(u32, &str); 24] = [
    (4, "Enterprise"),
    (27, "Enterprise N"),
    (48, "Pro"),
    (49, "Pro N"),
    (72, "Enterprise Evaluation"),
    (98, "Home N"),
    (100, "Home Single Language"),
    (101, "Home"),
    (119, "Team (Surface Hub)"),
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
    (165, "Pro Education N"),
    (175, "Enterprise multi-session"),
    (188, "IoT Enterprise"),
    (191, "IoT Enterprise LTSC"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editions_have_names() {
        assert_eq!(os_edition_name(48), Some("Pro"));
        assert_eq!(os_edition_name(136), Some("Holographic for Business"));
        assert_eq!(os_edition_name(0), None);
        assert!(EDITIONS.windows(2).all(|pair| pair[0].0 < pair[1].0), "sorted, none twice");
    }
}
