#!/usr/bin/env bash
# Enrolls an invented PC the way Windows does it, with nothing but curl, openssl and xmllint.
#
#   docs/enroll-with-curl.sh URL CA_FILE USER PASSWORD
#
#   URL       the server's `url`, for example https://mdm.example.com
#   CA_FILE   PEM file with the root that the server's certificate chains to
#   USER      account that may enroll, for example ada@example.com
#   PASSWORD  its password; `-` reads it from standard input
#
# Prints one line per step and ends with 0 only when everything held: the answers, the provisioning document, and
# that OpenSSL accepts the issued certificate for TLS client authentication under the delivered chain.
# What is left behind on the server is a device named CURL-PC.
set -euo pipefail

[ $# -eq 4 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
url=${1%/} ca_file=$2 user=$3 password=$4
[ "$password" != - ] || IFS= read -r password
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { printf 'FAILED  %s\n' "$*" >&2; exit 1; }
passed() { printf 'ok      %s\n' "$*"; }
for tool in curl openssl xmllint; do command -v "$tool" >/dev/null || fail "$tool is not installed"; done
[ -r "$ca_file" ] || fail "cannot read $ca_file"

enrollment=http://schemas.microsoft.com/windows/management/2012/01/enrollment
policy=http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy
wstep=http://schemas.microsoft.com/windows/pki/2009/01/enrollment
trust=http://docs.oasis-open.org/ws-sx/ws-trust/200512
secext=http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd
utility=http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd
username_token=http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0
token=http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment

xml_text() { sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' <<<"$1"; }
random_hex() { openssl rand -hex "$1" | tr 'a-f' 'A-F'; }
# Bytes from hexadecimal digits, blanks between them allowed.
bytes() { local digits="$*"; printf '%b' "$(sed 's/../\\x&/g' <<<"${digits// /}")"; }
# The text of the first element with this name, wherever its namespace is bound.
element() { xmllint --xpath "string(//*[local-name()='$1'])" "$work/answer.xml"; }

# soap STEP URL ACTION RESPONSE_ACTION SECURITY BODY: posts an envelope, leaves the checked answer in answer.xml.
soap() {
  local step=$1 address=$2 action=$3 response=$4 message_id status
  message_id="urn:uuid:$(random_hex 16)"
  cat >"$work/request.xml" <<XML
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:u="$utility" xmlns:wsse="$secext" xmlns:wst="$trust" xmlns:ac="http://schemas.xmlsoap.org/ws/2006/12/authorization"><s:Header><a:Action s:mustUnderstand="1">$action</a:Action><a:MessageID>$message_id</a:MessageID><a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo><a:To s:mustUnderstand="1">$address</a:To>$5</s:Header><s:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">$6</s:Body></s:Envelope>
XML
  status=$(curl --silent --show-error --max-time 60 --cacert "$ca_file" --dump-header "$work/headers" \
    --output "$work/answer.xml" --write-out '%{http_code}' --user-agent ENROLLClient \
    --header 'Content-Type: application/soap+xml; charset=utf-8' --data-binary @"$work/request.xml" "$address") ||
    fail "$step: no answer from $address"
  xmllint --noout "$work/answer.xml" 2>/dev/null || fail "$step: status $status, and the answer is not XML"
  [ "$status" = 200 ] || fail "$step: status $status, $(element Subcode | tr -d '[:space:]'): $(element Text)"
  grep -qi '^content-type: *application/soap+xml; *charset=utf-8' "$work/headers" || fail "$step: wrong content type"
  grep -qi '^content-length:' "$work/headers" || fail "$step: the answer has no Content-Length"
  ! grep -qi '^transfer-encoding:' "$work/headers" || fail "$step: the answer is chunked"
  [ "$(element RelatesTo)" = "$message_id" ] || fail "$step: RelatesTo is not our MessageID"
  [ "$(element Action)" = "$response" ] || fail "$step: the action of the answer is $(element Action)"
}

# --- 1: is somebody there?
discovery=$url/EnrollmentServer/Discovery.svc
probe=$(curl --silent --show-error --max-time 60 --cacert "$ca_file" --user-agent ENROLLClient --output /dev/null \
  --write-out '%{http_code} %{size_download}' "$discovery") || fail "probe: no answer from $discovery"
[ "$probe" = '200 0' ] || fail "probe: expected an empty 200, got status and size $probe"
passed "probe: empty 200 from $discovery"

# --- 2: which services, which way to sign in?
soap discovery "$discovery" "$enrollment/IDiscoveryService/Discover" "$enrollment/IDiscoveryService/DiscoverResponse" '' \
  "<Discover xmlns=\"$enrollment\"><request><EmailAddress>$(xml_text "$user")</EmailAddress><RequestVersion>6.0</RequestVersion><DeviceType>CIMClient_Windows</DeviceType><ApplicationVersion>10.0.22621.3155</ApplicationVersion><OSEdition>48</OSEdition><AuthPolicies><AuthPolicy>OnPremise</AuthPolicy></AuthPolicies></request></Discover>"
[ "$(element AuthPolicy)" = OnPremise ] || fail "discovery: AuthPolicy is '$(element AuthPolicy)', not OnPremise"
policy_url=$(element EnrollmentPolicyServiceUrl) enrollment_url=$(element EnrollmentServiceUrl)
for service in "$policy_url" "$enrollment_url"; do
  [[ $service == https://* ]] || fail "discovery: '$service' is no https URL"
done
passed "discovery: OnPremise, version $(element EnrollmentVersion), services on ${enrollment_url%/EnrollmentServer/*}"

# --- 3: what kind of key?
security="<wsse:Security s:mustUnderstand=\"1\"><wsse:UsernameToken u:Id=\"uuid-cc1ccc1f-2fba-4bcf-b063-ffc0cac77917-4\"><wsse:Username>$(xml_text "$user")</wsse:Username><wsse:Password wsse:Type=\"$username_token#PasswordText\">$(xml_text "$password")</wsse:Password></wsse:UsernameToken></wsse:Security>"
soap policy "$policy_url" "$policy/IPolicy/GetPolicies" "$policy/IPolicy/GetPoliciesResponse" "$security" \
  "<GetPolicies xmlns=\"$policy\"><client><lastUpdate xsi:nil=\"true\"/><preferredLanguage xsi:nil=\"true\"/></client><requestFilter xsi:nil=\"true\"/></GetPolicies>"
bits=$(element minimalKeyLength)
[ "$(element policySchema)" = 3 ] || fail "policy: policySchema is '$(element policySchema)'"
[ "$bits" = 2048 ] || fail "policy: this script makes RSA-2048 keys, the server asks for '$bits' bits"
passed "policy: signed in as $user, RSA with $bits bits"

# --- 4: a key, and a request in the shape of Windows 10: a PrintableString with '!' and a NUL at its end, one
# extension with the raw device id, a SHA-1 signature under the old OIW number. RSA-2048 keys with exponent 65537
# have the same encoded length each, so every length byte is a constant.
device_id=$(random_hex 16)
guid=$(random_hex 15)
name="${guid:0:8}-${guid:8:4}-${guid:12:4}-${guid:16:4}-${guid:20:6}!$device_id"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/key.pem" 2>/dev/null ||
  fail 'request: cannot make a key'
openssl pkey -in "$work/key.pem" -pubout -outform DER -out "$work/spki.der"
[ "$(wc -c <"$work/spki.der")" -eq 294 ] || fail 'request: the public key is not 294 bytes long'
{
  bytes 308201BA 020100 304B 3149 3047 0603550403 1340
  printf '%s' "$name"
  bytes 00
  cat "$work/spki.der"
  bytes A042 3040 06092A864886F70D01090E 3133 3031 302F 060A2B060104018237420100 0421
  printf '%s' "$device_id"
  bytes 00
} >"$work/info.der"
openssl dgst -sha1 -sign "$work/key.pem" -out "$work/signature" "$work/info.der" || fail 'request: cannot sign with SHA-1'
{
  bytes 308202CE
  cat "$work/info.der"
  bytes 3009 06052B0E03021D 0500 03820101 00
  cat "$work/signature"
} >"$work/csr.der"
openssl req -inform DER -in "$work/csr.der" -noout -verify >"$work/verify" 2>&1 || fail "request: $(head -n 1 "$work/verify")"
passed "request: $(wc -c <"$work/csr.der" | tr -d ' ') bytes of PKCS#10 for device $device_id"

# --- 5: the certificate
item() { printf '<ac:ContextItem Name="%s"><ac:Value>%s</ac:Value></ac:ContextItem>' "$1" "$2"; }
context=$(item UXInitiated true; item HWDevID "$(random_hex 32)"; item Locale en-US; item TargetedUserLoggedIn true
  item OSEdition 48; item DeviceName CURL-PC; item MAC 02-00-5E-10-00-01; item MAC 02-00-5E-10-00-02
  item DeviceID "$device_id"; item EnrollmentType Full; item DeviceType CIMClient_Windows
  item OSVersion 10.0.22621.3155; item ApplicationVersion 10.0.22621.3155; item NotInOobe true; item RequestVersion 6.0)
soap enrollment "$enrollment_url" "$wstep/RST/wstep" "$wstep/RSTRC/wstep" "$security" \
  "<wst:RequestSecurityToken><wst:TokenType>$token/DeviceEnrollmentToken</wst:TokenType><wst:RequestType>$trust/Issue</wst:RequestType><wsse:BinarySecurityToken ValueType=\"$wstep#PKCS10\" EncodingType=\"$secext#base64binary\">$(openssl base64 -in "$work/csr.der")</wsse:BinarySecurityToken><ac:AdditionalContext>$context</ac:AdditionalContext></wst:RequestSecurityToken>"
value_type=$(xmllint --xpath "string(//*[local-name()='BinarySecurityToken']/@ValueType)" "$work/answer.xml")
[ "$value_type" = "$token/DeviceEnrollmentProvisionDoc" ] || fail "enrollment: the token is a '$value_type'"
element BinarySecurityToken | openssl base64 -d -A >"$work/document.xml" || fail 'enrollment: the token is not base64'
passed "enrollment: a provisioning document of $(wc -c <"$work/document.xml" | tr -d ' ') bytes"

# --- 6: the provisioning document
document() { xmllint --xpath "string($1)" "$work/document.xml" 2>/dev/null; }
count() { xmllint --xpath "count($1)" "$work/document.xml" 2>/dev/null; }
below() { local path='' type; for type in "$@"; do path+="/characteristic[@type='$type']"; done; printf '%s' "$path"; }
[ "$(document '/wap-provisioningdoc/@version')" = 1.1 ] || fail 'document: not a wap-provisioningdoc 1.1'
root=/wap-provisioningdoc$(below CertificateStore Root System)
issuer=/wap-provisioningdoc$(below CertificateStore CA System)
leaf=/wap-provisioningdoc$(below CertificateStore My User)
certificate() { # FILE STORE: takes the only certificate of a store out and compares its thumbprint
  local node="$2/characteristic[parm/@name='EncodedCertificate']" thumbprint
  [ "$(count "$node")" = 1 ] || fail "document: $(count "$node") certificates where the $1 should be"
  document "$node/parm[@name='EncodedCertificate']/@value" | openssl base64 -d -A >"$work/$1.der"
  openssl x509 -inform DER -in "$work/$1.der" -out "$work/$1.pem" 2>/dev/null || fail "document: the $1 does not parse"
  thumbprint=$(openssl dgst -sha1 -r "$work/$1.der" | cut -d' ' -f1 | tr 'a-f' 'A-F')
  [ "$(document "$node/@type")" = "$thumbprint" ] || fail "document: the thumbprint of the $1 is not its SHA-1"
}
certificate root "$root"
certificate issuer "$issuer"
certificate device "$leaf"
[ "$(count "$leaf/characteristic[@type='PrivateKeyContainer']")" = 1 ] || fail 'document: no PrivateKeyContainer'
application="/wap-provisioningdoc$(below APPLICATION)"
provider=$(document "$application/parm[@name='PROVIDER-ID']/@value")
address=$(document "$application/parm[@name='ADDR']/@value")
[ "$(document "$application/parm[@name='APPID']/@value")" = w7 ] || fail 'document: APPID is not w7'
[[ $address == https://* ]] || fail "document: the management address is '$address'"
[ "$(count "$application/characteristic[@type='APPAUTH']/parm[@name='AAUTHDATA']")" = 2 ] ||
  fail 'document: the two first nonces are not there'
[ "$(count "/wap-provisioningdoc$(below DMClient Provider "$provider")")" = 1 ] || fail "document: no DMClient for $provider"
passed "document: three certificates with right thumbprints, provider $provider at $address"

# --- 7: the certificate itself
openssl x509 -in "$work/device.pem" -noout -pubkey | openssl pkey -pubin -outform DER | cmp -s - "$work/spki.der" ||
  fail 'certificate: the key is not the one of the request'
openssl verify -purpose sslclient -CAfile "$work/root.pem" -untrusted "$work/issuer.pem" "$work/device.pem" \
  >"$work/verify" 2>&1 || fail "certificate: $(grep -m 1 '^error' "$work/verify")"
passed "certificate: $(openssl x509 -in "$work/device.pem" -noout -subject -nameopt RFC2253), good until $(openssl x509 \
  -in "$work/device.pem" -noout -enddate | cut -d= -f2), a TLS client to openssl"
