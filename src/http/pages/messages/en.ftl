# Texts of pages, English. Names of Windows' menus are those of Windows in English.

contact = Questions? { $contact }

signpost-title = Device management
signpost-lead = This server manages Windows devices. It is made with Muster.
signpost-enroll = Enroll a device
signpost-enroll-help = Connect a Windows PC or a HoloLens 2 to this server, step by step.
signpost-enroll-link = Show the steps
signpost-administer = Administer
signpost-administer-help = Use the muster command line, or the API.
signpost-openapi = OpenAPI document

go-title = Enroll your device
go-lead = Connect your Windows device to { $organization }. It takes about five minutes.

server-title = Address of the server
server-help = Click the address to select all of it, then copy it. Windows may ask for it.
server-open = Open the dialog of Windows
server-open-help = On the device that you want to enroll. If nothing opens, follow the steps below.
qr-label = QR code with the address of this page
qr-help = Scan it to read these steps on another screen, or to open them on a HoloLens.

steps-title = Step by step
steps-choose = Kind of device
windows11 = Windows 11
windows10 = Windows 10
hololens2 = HoloLens 2

windows11-begin = Sign in as an administrator
windows11-begin-help = Use an account that may install programs on this PC. Connect to the internet. Plug in the charger.
windows11-settings = Open “Access work or school”
windows11-settings-help = Start › Settings › Accounts › Access work or school.
windows11-enroll-help = It stands further down, below “Related settings”. Do not choose “Connect”: that is for something else.
windows10-begin = Sign in as an administrator
windows10-begin-help = Use an account that may install programs on this PC. Connect to the internet. Plug in the charger.
windows10-settings = Open “Access work or school”
windows10-settings-help = Start › Settings (the gear) › Accounts › Access work or school.
windows10-enroll-help = It stands below “Related settings”: at the right, or at the bottom in a narrow window. Do not choose “Connect”: that is for something else.
hololens2-begin = Sign in as the owner of the device
hololens2-begin-help = Use the account with which the HoloLens was set up. Connect it to Wi-Fi.
hololens2-settings = Open “Access work or school”
hololens2-settings-help = Start gesture › Settings › Accounts › Access work or school.
hololens2-enroll-help = It stands below “Related settings”. If it is not there, choose “Connect” and then the link for device management.

step-enroll = Choose “Enroll only in device management”
step-name = Type your e-mail address
step-name-help = The work address to which your invitation came. If your user name is something else, type the user name. Then “Next”.
step-server = Paste the address of the server
step-server-help = Only if Windows asks for it. Leave every other field empty.
step-password = Sign in
step-password-help = With your password, or with the PIN if you were given one. The PIN goes where Windows asks for the password.
step-done = Choose “Finish”
step-done-help = Windows shows “Setting up your device”. Leave it switched on: settings arrive within a few minutes.

seen-title = What your organization sees
seen-yes = It sees and may do
seen-yes-device = Name, model, serial number and storage of the device
seen-yes-windows = Version of Windows, updates and encryption
seen-yes-settings = Settings and programs that it manages
seen-yes-act = Lock the device, change settings, install programs, erase the device if it is lost
seen-no = This server does not read
seen-no-files = Your files and photos
seen-no-mail = Your e-mail and messages
seen-no-web = The pages that you visit
seen-no-passwords = Your passwords

trouble-title = If it does not work
trouble-trust = Windows does not trust the server
trouble-trust-help = The device may need the certificate of this server first. Ask whether it is genuine before you install it.
trouble-trust-link = CA certificate
trouble-administrator = The link is missing, or Windows refuses
trouble-administrator-help = The account is no administrator of this PC, or the device is managed already.
trouble-password = The password is refused
trouble-password-help = Check the user name first. A PIN works once, for one device, and ends after some days; ask for a new one.

invitation-title = Your invitation
invitation-user = Your user name
invitation-until = Valid until
invitation-pin = Your PIN
invitation-pin-help = It is in the message that brought you here. Type it where Windows asks for the password. It works once, until { $until }.
invitation-pin-over = The PIN does not work any more
invitation-pin-over-help = It has expired, or a wrong one was typed too often. Ask for a new invitation.
invitation-unknown = This invitation is not valid
invitation-unknown-help = The address is not complete, or a newer invitation has taken its place. Open the newest message, or ask for another invitation.
invitation-used = This invitation was used
invitation-used-help = A device was enrolled with it. For another device, ask for another invitation.
invitation-expired = This invitation has expired
invitation-expired-help = Ask for another invitation.
invitation-revoked = This invitation was withdrawn
invitation-revoked-help = A newer one may have taken its place. Look for a newer message, or ask for another invitation.
ask-nobody = Ask the person or the help desk that manages your device.

stale-url = This enrollment address is not in use any more
stale-url-help = It was replaced by a newer one. Ask for the new address, or open the newest message with your invitation.
