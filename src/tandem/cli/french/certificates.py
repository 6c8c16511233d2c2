"""What is wrong with certificates, as a change of phase 2 or a check says it. English template to French."""

CERTIFICATES = {
    "there is none": "il n'y en a pas",
    "it is not for {}": "il n'est pas émis pour {}",
    "it has a wildcard name": "il comporte un nom avec caractère générique",
    "it expired on {}": "il a expiré le {}",
    "it is valid only from {} UTC on": "il n'est valide qu'à partir du {} UTC",
    "it is no authority": "il n'est pas celui d'une autorité de certification",
    "it is revoked": "il est révoqué",
    "its extended key usage is not for a TLS {}": "son utilisation améliorée de la clé ne prévoit pas le rôle TLS {}",
    "its key is neither RSA nor ECDSA": "sa clé n'est ni RSA ni ECDSA",
    "its key is another one's": "sa clé est celle d'un autre certificat",
    "its RSA key has {} bits; at least {} are needed": "sa clé RSA a {} bits ; {} au moins sont nécessaires",
    "its key is encrypted with a passphrase, which a server that starts alone cannot enter": (
        "sa clé est chiffrée par une phrase secrète, qu'un serveur qui démarre seul ne peut pas saisir"
    ),
    "its key is not a private key in PEM": "sa clé n'est pas une clé privée au format PEM",
    "it is not issued by a root that is trusted here (it is self-signed)": (
        "il n'est pas émis par une autorité de certification racine approuvée ici (il est auto-signé)"
    ),
    "it is not issued by a root that is trusted here (no certificate of {})": (
        "il n'est pas émis par une autorité de certification racine approuvée ici (aucun certificat de {})"
    ),
    "its root {}: {}": "sa racine {} : {~}",
    "{}, which issued it: {}": "{}, qui l'a émis : {~}",
    "its chain has more than {} certificates": "sa chaîne comporte plus de {} certificats",
    "the revocation list of {} was to be renewed by {}": (
        "la liste de révocation de {} devait être renouvelée avant le {}"
    ),
    "{} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)": (
        "{} ne contient aucun certificat au format PEM (-----BEGIN CERTIFICATE-----)"
    ),
    "{} holds no revocation list in PEM (-----BEGIN X509 CRL-----)": (
        "{} ne contient aucune liste de révocation au format PEM (-----BEGIN X509 CRL-----)"
    ),
    "{} cannot be read: {}; expected a file in PEM that this account may read": (
        "{} ne peut pas être lu : {} ; un fichier au format PEM que ce compte peut lire est attendu"
    ),
    "{}; remove it, and apply phase 2 again": "{~} ; supprimez-le et exécutez de nouveau la phase 2",
}
