use super::super::fixtures::{MESSAGE_ID, decode, golden, reply};
use super::*;

fn fault(subcode: Subcode, error_type: Option<ErrorType>, reason: &str) -> Fault {
    Fault { subcode, error_type, reason: reason.to_owned() }
}

/// [MS-MDE2] 2.2.10, in the proper case of SOAP 1.2; `a:` is the dispatcher where a subcode needs it.
// covers: E-106, E-107
#[test]
fn faults_have_the_shape_of_the_specification() {
    let wrong = fault(Subcode::Authentication, None, "The user name or the password is wrong.");
    golden("20-server-fault-authentication.xml", &wrong.encode(Operation::GetPolicies, &reply()));
    let limit =
        fault(Subcode::Authorization, Some(ErrorType::DeviceCapReached), "This account has reached its device limit.");
    golden("21-server-fault-device-limit.xml", &limit.encode(Operation::RequestSecurityToken, &reply()));
    let unreadable = fault(Subcode::InvalidSecurity, None, "The request could not be read.");
    let nameless = ReplyHeader { relates_to: None, ..reply() };
    golden("22-server-fault-invalid-security.xml", &unreadable.encode(Operation::Discover, &nameless));
    assert_eq!(Fault::HTTP_STATUS, 500);
}

#[test]
fn every_fault_is_read_back() {
    for subcode in Subcode::ALL {
        for error_type in [None].into_iter().chain(ErrorType::ALL.map(Some)) {
            let envelope = decode(&fault(subcode, error_type, "a & b < c").encode(Operation::Discover, &reply()));
            let received = Fault::decode(&envelope).unwrap();
            assert_eq!(envelope.relates_to.as_deref(), Some(MESSAGE_ID));
            assert_eq!(envelope.action, Operation::Discover.response_action());
            assert_eq!((received.subcode, received.error_type), (Some(subcode), error_type));
            assert_eq!(received.reason, "a & b < c");
            assert_eq!(received.trace_id, Some(reply().activity_id.to_string()));
            let expected = error_type.map_or_else(|| subcode.hresult(), ErrorType::hresult);
            assert_eq!(received.hresult(), expected);
        }
    }
}

#[test]
fn faults_in_lower_case_are_understood() {
    let text = "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Header>\
                <Action xmlns='http://www.w3.org/2005/08/addressing'>x</Action></s:Header><s:Body><s:fault><s:code>\
                <s:value>s:receiver</s:value><s:subcode><s:value>s:authorization</s:value></s:subcode></s:code>\
                <s:detail><deviceenrollmentserviceerror><errortype>devicecapreached</errortype>\
                <traceid>7</traceid></deviceenrollmentserviceerror></s:detail></s:fault></s:Body></s:Envelope>";
    let received = Fault::decode(&decode(text.as_bytes())).unwrap();
    assert_eq!(received.hresult(), 0x8018_0013);
    assert_eq!(received.trace_id.as_deref(), Some("7"));
    assert_eq!(received.subcode, Some(Subcode::Authorization));
}
