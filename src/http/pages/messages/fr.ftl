# Textes des pages, français. Les noms des menus sont ceux de Windows en français.

contact = Une question ? { $contact }

signpost-title = Gestion des appareils
signpost-lead = Ce serveur gère des appareils Windows. Il fonctionne avec Muster.
signpost-enroll = Inscrire un appareil
signpost-enroll-help = Connectez un PC Windows ou un HoloLens 2 à ce serveur, étape par étape.
signpost-enroll-link = Voir les étapes
signpost-administer = Administrer
signpost-administer-help = Utilisez la ligne de commande muster, ou l’API.
signpost-openapi = Document OpenAPI

go-title = Inscrire votre appareil
go-lead = Connectez votre appareil Windows à { $organization }. Comptez environ cinq minutes.

server-title = Adresse du serveur
server-help = Cliquez sur l’adresse pour la sélectionner en entier, puis copiez-la. Windows peut la demander.
server-open = Ouvrir la fenêtre de Windows
server-open-help = Sur l’appareil à inscrire. Si rien ne s’ouvre, suivez les étapes ci-dessous.
qr-label = Code QR avec l’adresse de cette page
qr-help = Scannez-le pour lire ces étapes sur un autre écran, ou pour les ouvrir sur un HoloLens.

steps-title = Étape par étape
steps-choose = Type d’appareil
windows11 = Windows 11
windows10 = Windows 10
hololens2 = HoloLens 2

windows11-begin = Ouvrez une session d’administrateur
windows11-begin-help = Prenez un compte qui peut installer des programmes sur ce PC. Connectez-vous à Internet. Branchez le chargeur.
windows11-settings = Ouvrez « Accès Professionnel ou Scolaire »
windows11-settings-help = Démarrer › Paramètres › Comptes › Accès Professionnel ou Scolaire.
windows11-enroll-help = Le lien se trouve plus bas, sous « Paramètres associés ». Ne choisissez pas « Se connecter » : c’est pour autre chose.
windows10-begin = Ouvrez une session d’administrateur
windows10-begin-help = Prenez un compte qui peut installer des programmes sur ce PC. Connectez-vous à Internet. Branchez le chargeur.
windows10-settings = Ouvrez « Accès Professionnel ou Scolaire »
windows10-settings-help = Démarrer › Paramètres (la roue dentée) › Comptes › Accès Professionnel ou Scolaire.
windows10-enroll-help = Le lien se trouve sous « Paramètres associés » : à droite, ou en bas si la fenêtre est étroite. Ne choisissez pas « Se connecter » : c’est pour autre chose.
hololens2-begin = Ouvrez la session du propriétaire
hololens2-begin-help = Prenez le compte avec lequel le HoloLens a été configuré. Connectez-le au Wi-Fi.
hololens2-settings = Ouvrez « Accès Professionnel ou Scolaire »
hololens2-settings-help = Geste Démarrer › Paramètres › Comptes › Accès Professionnel ou Scolaire.
hololens2-enroll-help = Le lien se trouve sous « Paramètres associés ». S’il n’y est pas, choisissez « Se connecter », puis le lien de gestion des appareils.

step-enroll = Choisissez « S’inscrire uniquement à la gestion des appareils »
step-name = Saisissez votre adresse e-mail
step-name-help = L’adresse professionnelle à laquelle vous avez reçu l’invitation. Si votre nom d’utilisateur est différent, saisissez ce nom. Puis « Suivant ».
step-server = Collez l’adresse du serveur
step-server-help = Seulement si Windows la demande. Laissez vides tous les autres champs.
step-password = Connectez-vous
step-password-help = Avec votre mot de passe, ou avec le code PIN si vous en avez reçu un. Le code se saisit là où Windows demande le mot de passe.
step-done = Choisissez « Terminer »
step-done-help = Windows affiche la configuration de l’appareil. Laissez-le allumé : les réglages arrivent en quelques minutes.

seen-title = Ce que voit votre organisation
seen-yes = Elle voit et peut faire
seen-yes-device = Nom, modèle, numéro de série et stockage de l’appareil
seen-yes-windows = Version de Windows, mises à jour et chiffrement
seen-yes-settings = Les réglages et les programmes qu’elle gère
seen-yes-act = Verrouiller l’appareil, changer des réglages, installer des programmes, effacer l’appareil s’il est perdu
seen-no = Ce serveur ne lit pas
seen-no-files = Vos fichiers et vos photos
seen-no-mail = Vos e-mails et vos messages
seen-no-web = Les pages que vous consultez
seen-no-passwords = Vos mots de passe

trouble-title = Si cela ne marche pas
trouble-trust = Windows ne fait pas confiance au serveur
trouble-trust-help = L’appareil a peut-être besoin d’abord du certificat de ce serveur. Demandez s’il est authentique avant de l’installer.
trouble-trust-link = Certificat de l’autorité
trouble-administrator = Le lien manque, ou Windows refuse
trouble-administrator-help = Le compte n’est pas administrateur de ce PC, ou l’appareil est déjà géré.
trouble-password = Le mot de passe est refusé
trouble-password-help = Vérifiez d’abord le nom d’utilisateur. Un code PIN sert une fois, pour un appareil, et expire après quelques jours ; demandez-en un nouveau.

invitation-title = Votre invitation
invitation-user = Votre nom d’utilisateur
invitation-until = Valable jusqu’au
invitation-pin = Votre code PIN
invitation-pin-help = Il est dans le message qui vous a conduit ici. Saisissez-le là où Windows demande le mot de passe. Il sert une fois, jusqu’au { $until }.
invitation-pin-over = Le code PIN ne fonctionne plus
invitation-pin-over-help = Il a expiré, ou un code erroné a été saisi trop souvent. Demandez une nouvelle invitation.
invitation-unknown = Cette invitation n’est pas valable
invitation-unknown-help = L’adresse est incomplète, ou une invitation plus récente l’a remplacée. Ouvrez le message le plus récent, ou demandez une nouvelle invitation.
invitation-used = Cette invitation a déjà servi
invitation-used-help = Un appareil a été inscrit avec elle. Pour un autre appareil, demandez une autre invitation.
invitation-expired = Cette invitation a expiré
invitation-expired-help = Demandez une nouvelle invitation.
invitation-revoked = Cette invitation a été retirée
invitation-revoked-help = Une invitation plus récente l’a peut-être remplacée. Cherchez un message plus récent, ou demandez une nouvelle invitation.
ask-nobody = Demandez à la personne ou au service qui gère votre appareil.

stale-url = Cette adresse d’inscription n’est plus en service
stale-url-help = Une adresse plus récente l’a remplacée. Demandez la nouvelle adresse, ou ouvrez le message le plus récent avec votre invitation.
