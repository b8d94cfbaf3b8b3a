//! Namespace names, each as the wire spells it.

/// SOAP 1.2 envelope; the only one we emit.
pub const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// SOAP 1.1 envelope; accepted on input.
pub const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// WS-Addressing.
pub const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
/// WS-Security utility (`u:`).
pub const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
/// WS-Security extension (`wsse:`).
pub const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
/// WS-Trust (`wst:`).
pub const WST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
/// Authorization context (`ac:`).
pub const AUTHORIZATION: &str = "http://schemas.xmlsoap.org/ws/2006/12/authorization";
/// MS-MDE2 discovery. Samples add a slash at the end, real Windows does not.
pub const DISCOVERY: &str = "http://schemas.microsoft.com/windows/management/2012/01/enrollment";
/// MS-XCEP.
pub const XCEP: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy";
/// MS-WSTEP.
pub const WSTEP: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment";
/// The namespace of `ActivityId`.
pub const DIAGNOSTICS: &str = "http://schemas.microsoft.com/2004/09/ServiceModel/Diagnostics";
/// The WCF dispatcher, to which `a:` is bound in some fault subcodes.
pub const DISPATCHER: &str = "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher";
/// XML signature; seen only to be refused.
pub const XMLDSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
/// XML Schema instance.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// XML Schema.
pub const XSD: &str = "http://www.w3.org/2001/XMLSchema";
/// SyncML 1.2; the only one we emit.
pub const SYNCML12: &str = "SYNCML:SYNCML1.2";
/// Children of `Meta`.
pub const METINF: &str = "syncml:metinf";
/// Microsoft's extension namespace (`msft:originalerror`).
pub const MSFT_MDM: &str = "http://schemas.microsoft.com/MobileDevice/MDM";
