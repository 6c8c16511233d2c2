"""What plan, verify, drift and observe say of observations. English template to French."""

OBSERVING = {
    # States
    "observed": "observé",
    "confirmed": "confirmé",
    "open": "ouvert",
    "differs": "différent",
    "not readable": "illisible",
    "not observable": "non observable",
    "not observed yet": "pas encore observé",
    "neither observed nor confirmed": "ni observé ni confirmé",
    "observed {}": "observé {~}",
    "confirmed by {} {}": "confirmé par {} le {}",
    "confirmed by {} {} ({})": "confirmé par {} le {} ({})",
    "{}, not observed{}": "{~}, non observé{~}",
    "{}, after an observation that differs ({}); not observed since": (
        "{~}, après une observation qui diffère ({~}) ; pas observé depuis"
    ),
    "{}, but differs, as observed {}: the observation counts{}": (
        "{~}, mais différent, observé {~} : c'est l'observation qui compte{~}"
    ),
    "differs, as observed {}{}": "différent, observé {~}{~}",
    "{} has to restart after exchucutil, whose result is not there yet": (
        "{} doit redémarrer après exchucutil, dont le résultat n'est pas encore là"
    ),
    "by {} on {}, {} UTC ({}), {}": "par {} sur {}, {} UTC ({~}), {}",
    "less than an hour old": "il y a moins d'une heure",
    "{} hours old": "il y a {} heures",
    "{} hour old": "il y a {} heure",
    "{} days old": "il y a {} jours",
    "a collector does not see this: confirm it ('tandem confirm')": (
        "aucun collecteur ne voit cela : confirmez-le (« tandem confirm »)"
    ),
    # Plan, page, verify, drift
    "Steps on Exchange and Lync servers:": "Étapes sur les serveurs Exchange et Lync Server :",
    "Nothing to do: all is as declared.": "Rien à faire : tout est conforme à la déclaration.",
    "Nothing to do, as far as is known: {} step(s) are confirmed by somebody, and not observed.": (
        "Rien à faire, pour autant qu'on le sache : {} étape(s) confirmée(s) par quelqu'un, et non observée(s)."
    ),
    "Old observation, run the collector again: {}": "Observation ancienne, exécutez de nouveau le collecteur : {~}",
    "(lacks {})": "(il lui manque {~})",
    "Done, observed or confirmed": "Terminé, observé ou confirmé",
    "old, run the collector again:": "ancienne, exécutez de nouveau le collecteur :",
    (
        "done, or observed by a collector. C: confirmed by somebody, and not observed. An empty box: open, or different from "
        "what is declared."
    ): (
        "terminé, ou observé par un collecteur. C : confirmé par quelqu'un, et non observé. Une case vide : ouvert, ou "
        "différent de la déclaration."
    ),
    "Observation of {} ({})": "Observation de {} ({})",
    "{}, of {} on {}": "{~}, de {} sur {}",
    "run the collector again, and give its result to 'tandem observe'": (
        "exécutez de nouveau le collecteur, puis donnez son résultat à « tandem observe »"
    ),
    "observed: {}": "observé : {~}",
    "not observed: {}: {}": "non observé : {} : {~}",
    "{} of {}, {}": "{} de {}, {~}",
    "{} of {}, shell {}, {}": "{} de {}, environnement {}, {~}",
    "{} step(s) not observed: {}.": "{} étape(s) non observée(s) : {}.",
    "No drift in what was observed.": "Aucun écart dans ce qui a été observé.",
    "Old, collect again: {}.": "Ancienne, à refaire : {~}.",
    "? {} {}: observed, and not declared": "? {k} {} : observé, et non déclaré",
    # What judges say
    "no observation of a shell that can read it": "aucune observation d'un environnement qui puisse le lire",
    "nothing of {}: run the collector there": "rien de {} : exécutez-y le collecteur",
    "nothing of {} on {}": "rien de {} sur {}",
    "{} {}: {} was not read": "{k} {} : {} n'a pas été lu",
    "rights on organizational units are not observed, and contacts are missing": (
        "les droits sur les unités d'organisation ne s'observent pas, et des contacts manquent"
    ),
    "none of an authority with subject CN={}": "aucun d'une autorité de certification avec le nom de sujet CN={}",
    "ExchangeServer: {} has version {}": "ExchangeServer : {} a la version {}",
    "{} on {}": "{} sur {}",
    "{} trusts {}": "{} approuve {}",
    "none is assigned for Default": "aucun n'est affecté à Default",
    "to be enabled for {}": "à activer pour {}",
    "subject {} -> CN={}": "nom du sujet {} -> CN={}",
    "subject alternative name lacks {}": "il manque {} dans l'autre nom de l'objet",
    "ended {}": "expiré le {}",
    "without an end": "sans date d'expiration",
    "no normalization rule, for {}": "aucune règle de normalisation, pour {}",
    (
        "{} on {} runs since {} UTC, before the result of exchucutil was seen or confirmed ({} UTC): whether it has restarted "
        "since exchucutil is not known"
    ): (
        "{} sur {} s'exécute depuis le {} UTC, avant que le résultat d'exchucutil ait été vu ou confirmé ({} UTC) : on ne sait "
        "pas s'il a redémarré depuis exchucutil"
    ),
    (
        "{} on {} runs since an unknown time, before the result of exchucutil was seen or confirmed ({} UTC): whether it has "
        "restarted since exchucutil is not known"
    ): (
        "{} sur {} s'exécute depuis un moment inconnu, avant que le résultat d'exchucutil ait été vu ou confirmé ({} UTC) : on "
        "ne sait pas s'il a redémarré depuis exchucutil"
    ),
    # observe
    "{} result(s) kept for {}; 'tandem plan' compares with them.": (
        "{} résultat(s) conservé(s) pour {} ; « tandem plan » les compare."
    ),
    "{}: {} of {}, shell {}, digest {}": "{} : {} de {}, environnement {}, empreinte {}",
    "by {} on {}, {} UTC ({})": "par {} sur {}, {} UTC ({~})",
    "was kept before": "était déjà conservé",
    "only its host's certificates count: the result of {}, {} UTC, is newer": (
        "seuls les certificats de son hôte comptent : le résultat de {}, {} UTC, est plus récent"
    ),
    "it does not count: the result of {}, {} UTC, is newer": (
        "il ne compte pas : le résultat de {}, {} UTC, est plus récent"
    ),
    "could not be read: {}: {}": "n'a pas pu être lu : {} : {}",
    "warning: older than 7 days: run the collector again": (
        "avertissement : plus ancien que 7 jours : exécutez de nouveau le collecteur"
    ),
}
