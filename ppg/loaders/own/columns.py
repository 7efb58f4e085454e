"""What the columns of a file are: named by its owner, or guessed from their names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from ppg.loaders.own.units import TIME_UNITS
from ppgnas.errors import DataError

HR_KINDS = ("instant", "window")
_TIME = (
    "phone timestamp", "unix timestamp", "timestamp", "timestamps", "time stamp", "datetime",
    "date time", "utc", "unix time", "unix", "epoch", "time", "t", "ts", "elapsed", "elapsed time",
    "elapsed seconds", "seconds", "clock", "milliseconds", "timestamp local", "local time",
    "millis", "micros", "ms", "us", "ticks", "second", "zeitstempel", "datum uhrzeit",
    "uhrzeit", "zeit", "horodatage", "temps", "fecha hora", "tiempo", "tempo", "tijd", "czas",
    "start time", "start", "start date", "begin", "window start", "from", "date", "datum", "fecha",
)  # fmt: skip
_STAMP = {"timestamp", "timestampsync", "millis", "micros", "nanos"}
# Of one word of a clock, and of others beside it.
_CLOCK = {"time", "timestamp", "clock", "sec", "secs", "seconds", "tick", "ticks", "systick",
          "timer", "uptime", "epoch", "unixtime", "utc", "monotonic", "sampletime", "starttime",
          "iso", "recorded", "started", "received", "created", "rtc"}  # fmt: skip
_OF_A_CLOCK = {"t", "unix", "posix", "local", "date", "elapsed", "relative", "rel", "since", "at",
               "start", "begin", "boot", "in", "sensor", "device", "host", "phone", "server",
               "system", "sample", "frame", "recording", "gps", "garmin", "ms", "us",
               "ns"}  # fmt: skip
_HR = (
    "hr", "heart rate", "heartrate", "bpm", "reference", "heart rate bpm", "hr bpm",
    "herzfrequenz", "puls", "frequence cardiaque", "frecuencia cardiaca", "frequenza cardiaca",
    "frequencia cardiaca", "hartslag", "tetno", "pulse rate", "hr hz", "heart rate hz", "hr rate",
)  # fmt: skip
_STRAP = {"ecg", "ekg", "polar", "h9", "h10", "chest", "strap", "ref", "reference", "gt",
          "truth", "true", "label"}  # fmt: skip
_RATE = {"hr", "heartrate", "bpm", "puls", "heart"}
_RR = ("rr", "rri", "rr interval", "rr intervals", "ibi", "nn", "interbeat interval", "rr ms",
       "r peaks", "rpeaks", "r peak", "r peak times", "r peak time", "ecg r peaks")  # fmt: skip
_ECG = ("ecg", "ekg", "ecg uv", "ecg mv", "ecg ii", "lead ii", "ii", "chest ecg")
_ACTIVITY = (
    "activity", "activity label", "condition", "task", "label", "session", "phase", "event",
    "events", "marker", "markers", "annotation", "tag",
)  # fmt: skip
_PERSON = re.compile(
    r"(?:pid|sid|(?:subject|subj|participant|person|user|patient|volunteer|proband)"
    r"(?: (?:id|no|nr|num|number|code|name))?)"
)
_SAMPLED = re.compile(  # ppg fs, sampling rate hz, fs of acc
    r"(?:(.+?) )??(?:fs|hz|sfreq|srate|samples per sec(?:ond)?|"
    r"(?:sampl(?:e|ing) ?)?(?:rate|frequency|freq))(?: hz)?"
    r"(?: (?:of )?(.+))?"
)
_ABOUT = {"meta", "metadata", "info", "header", "settings", "config", "device", "sensor", "signal",
          "session", "recording", "attributes"}  # fmt: skip
SAME_LENGTH = 0.98  # of the longest column of a rate; shorter ones have another
_PER_MINUTE = re.compile(r"[\[(]\s*(?:bpm|1/min|/min|beats/min)\s*[\])]", re.IGNORECASE)
_NOT_BEATS = {"resp", "respiration", "respiratory", "breath", "breaths", "breathing", "rr", "br",
              "cadence", "steps", "hrv"}  # fmt: skip
# The first of them that there is, alone.
_LIGHT = ("green", "infrared", "ir", "red")
_BESIDE_IR = re.compile(r"(|.*[_ .-])ir", re.IGNORECASE)  # G, IR, R; PPG_G, PPG_IR, PPG_R
_GREEN = re.compile(r"(|.*[_ .-])g", re.IGNORECASE)
# Words of other languages, after accents are taken off.
_MEANT = {
    word: plain
    for plain, words in {
        "green": "grun gruen grn verte verde groen zielony gron",
        "ir": "infrarot infrarouge infrarrojo infrarosso infravermelho",
        "red": "rouge rojo rosso rood vermelho",
        "acc": "beschleunigung acceleration aceleracion accelerazione aceleracao versnelling",
        "ppg": "fotopletismografia pletismografia photoplethysmographie",
    }.items()
    for word in words.split()
}
_CHARACTERS = {
    "\u65f6\u95f4": "time", "\u6642\u9593": "time", "\u6642\u523b": "time", "\uc2dc\uac04": "time",
    "\u0432\u0440\u0435\u043c\u044f": "time", "\u5fc3\u7387": "hr",
    "\u5fc3\u62cd\u6570": "hr", "\uc2ec\ubc15\uc218": "hr", "\u043f\u0443\u043b\u044c\u0441": "hr",
    "\u7eff\u5149": "green", "\u7dd1": "green", "\u52a0\u901f\u5ea6": "acc",
    "\uac00\uc18d\ub3c4": "acc", "\u8109\u640f": "ppg", "\u8108\u6ce2": "ppg",
}  # fmt: skip
_HOLDING = {"signals", "signal", "sensors", "data", "values", "value", "samples", "series",
            "labels", "payload", "message", "body"}  # fmt: skip
_WITHIN = re.compile(r"^(?:.*[./](?=.)|value )", re.IGNORECASE)
_WORD = re.compile("|".join(_CHARACTERS), re.IGNORECASE)
_PPG_WORDS = {"ppg", "bvp", "pleth", "plethysmogram", "photoplethysmogram"}
_NOT_PPG = {"hr", "heart", "rate", "ibi", "rr", "status", "quality", "time", "timestamp", "sqi",
            "t", "ts"}  # fmt: skip
_NO_RATE = {"rr", "status", "quality", "time", "timestamp", "sqi", "t", "ts", "confidence",
            "variability", "hrv"}  # fmt: skip
_ACC_WORDS = {"acc", "accel", "acceleration", "accelerometer", "accl", "a"}


@dataclass(frozen=True)
class Columns:
    """Names of columns, and what they mean.

    Attributes:
        ppg: one or more; none where the columns are guessed and only others are named.
        acc: three, or none.
        hr: the reference heart rate in BPM, or None.
        time: of PPG and acceleration, or None where their rates are given; two names with a comma
            are a date and a time of day.
        acc_time, hr_time: of the acceleration and of the reference; `time` if None.
        time_unit: one of `TIME_UNITS`, or None: the times tell it.
        hr_is: "instant" or "window".
        rr: instead of `hr`, intervals from beat to beat.
        ecg: instead of `hr`, an electrocardiogram.
        activity: what the person does, in words or numbers.
        subject: whose row it is.
    """

    ppg: tuple[str, ...] = ()
    acc: tuple[str, ...] = ()
    hr: str | None = None
    time: str | None = None
    acc_time: str | None = None
    hr_time: str | None = None
    time_unit: str | None = None
    hr_is: str = "instant"
    rr: str | None = None
    ecg: str | None = None
    activity: str | None = None
    subject: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in (("time_unit", tuple(TIME_UNITS)), ("hr_is", HR_KINDS)):
            if getattr(self, name) not in (*allowed, *((None,) if name == "time_unit" else ())):
                seen = repr(getattr(self, name))
                raise DataError(f"`{name}` is {seen}; allowed: {', '.join(allowed)}.")
        if len(self.acc) not in (0, 3):
            raise DataError(
                f"`acc` names {len(self.acc)} columns ({', '.join(self.acc)}); allowed: 3 "
                f"with commas, or leave the option out."
            )
        references = [n for n in ("hr", "rr", "ecg") if getattr(self, n) is not None]
        if len(references) > 1:
            raise DataError(
                f"{' and '.join(f'`{name}`' for name in references)} are given; allowed: one "
                "reference. Leave the others out."
            )

    @property
    def reference(self) -> str | None:
        """The column of the reference, whichever it is."""
        return self.hr or self.rr or self.ecg

    def in_words(self) -> str:
        """What is read from which column."""
        said = {
            "PPG": ", ".join(self.ppg),
            "acceleration": ", ".join(self.acc),
            "heart rate": self.hr,
            "RR intervals": self.rr,
            "ECG": self.ecg,
            "time": self.time,
            "time of the acceleration": self.acc_time,
            "time of the reference": self.hr_time,
            "activity": self.activity,
            "person": self.subject,
        }
        return "; ".join(f"{what} {name}" for what, name in said.items() if name)


def overridden(found: Columns, named: Columns) -> Columns:
    """Columns that were found, but those that a user named."""
    changes = {
        one.name: getattr(named, one.name)
        for one in fields(Columns)
        if getattr(named, one.name) != one.default
    }
    if named.reference is not None:
        found = replace(found, hr=None, rr=None, ecg=None)
    return replace(found, **changes)


def guess(names: Sequence[str], units: Mapping[str, str] = MappingProxyType({})) -> Columns:
    """What columns of these names probably are; one without PPG has only a reference.

    Args:
        units: of columns, where they are not in the names.
    """
    plain = {_plain(name): name for name in reversed(names)}
    for name in names:  # com.vendor.heart_rate, Monitor/HR, value bpm
        plain.setdefault(_plain(_WITHIN.sub("", name)), name)
        plain.setdefault(" ".join(w for w in _plain(name).split() if w not in _HOLDING), name)

    def first(wanted: Sequence[str]) -> str | None:
        return next((plain[word] for word in wanted if word in plain), None)

    words = {name: set(_plain(name).split()) for name in names}
    stamps = (name for name in names if _STAMP & words[name])
    clocks = (n for n in names if _CLOCK & words[n] and words[n] <= _CLOCK | _OF_A_CLOCK)
    time = first(_TIME) or next(stamps, None) or next(clocks, None)
    if "date" in plain and time is not None and _plain(time) == "time":
        time = f"{plain['date']},{time}"
    ppg = _ppg(names)
    rr, ecg = first(_RR), first(_ECG) or _lead(plain)
    hr = _of_strap(plain) or first(_HR)
    told = ((name, f"{name} [{units.get(name, '')}]") for name in names)
    beats = (n for n, said in told if _PER_MINUTE.search(said) and not words[n] & _NOT_BEATS)
    hr = hr or next(beats, None)
    if rr is None and not ppg:
        rr = first(("duration", "interval", "intervals"))
    acc, hr_time, acc_time = _acc(names), None, None
    if time is None:  # each signal may have its own
        time = _time_of(names, _PPG_WORDS)
        acc_time = _time_of(names, _ACC_WORDS - {"a"})
        hr_time = _time_of(names, {"hr", "heart", "rr", "ibi", "ecg", "ekg"})
    return Columns(
        ppg=ppg,
        acc=acc,
        time=time,
        acc_time=acc_time,
        hr_time=hr_time,
        rr=rr,
        ecg=ecg if rr is None else None,
        hr=hr if rr is None and ecg is None else None,
        activity=first(_ACTIVITY),
        subject=next((name for name in names if _PERSON.fullmatch(_plain(name))), None),
    )


def is_rate(name: str) -> bool:
    """Whether a name is that of a rate of all rows."""
    return bool(sampled_at({"": 1}, {name: 0.0}))


def sampled_at(rows: Mapping[str, int], single: Mapping[str, float]) -> dict[str, str]:
    """Which number beside columns says their rows a second: `ppg_fs` before `fs`, which is that of
    the longest of the others.

    Args:
        rows: of each column.
        single: numbers by name, of whatever.

    Returns:
        Names of columns -> name of a number.
    """
    meant = guess([*rows])
    roles = {name: {"ppg", "bvp"} for name in meant.ppg}
    roles |= {name: {"acc", "accel", "accelerometer"} for name in meant.acc}
    roles |= {name: {"ecg"} for name in (meant.ecg,) if name}
    said = ((name, _SAMPLED.fullmatch(_plain(name))) for name in single)
    of = {
        name: set(" ".join(filter(None, found.groups())).split()) - _ABOUT
        for name, found in said
        if found
    }
    chosen: dict[str, str] = {}
    for name in rows:
        words = set(_plain(name).split()) | roles.get(name, set())
        fitting = [one for one, named in of.items() if one != name and named <= words]
        if fitting:
            chosen[name] = max(fitting, key=lambda one: len(of[one]))
    longest = {one: max(rows[n] for n in chosen if chosen[n] == one) for one in chosen.values()}
    chosen = {n: one for n, one in chosen.items() if rows[n] > SAME_LENGTH * longest[one]}
    alike = {rows[name]: one for name, one in chosen.items()}
    return {name: alike[count] for name, count in rows.items() if count in alike} | chosen


def with_own_reference(ppg: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Channels that each have a reference by another word: `s1/ppg` with `s1/hr`, not `ppg` with
    `hr`."""
    kinds = _PPG_WORDS | _RATE | {"rr", "rri", "ibi", "ecg", "rate", *_LIGHT}
    words = {name: set(re.findall(r"[a-z0-9]+", name.lower())) for name in names}
    references = [n for n in names if words[n] & (_RATE | {"rr", "rri", "ibi", "ecg"})]
    whose = {name: words[name] - kinds for name in names}
    own = {
        one: next((n for n in references if whose[n] == whose[one] != set()), "") for one in ppg
    }
    return {one: name for one, name in own.items() if name}


def _time_of(names: Sequence[str], signal: set[str]) -> str | None:
    """The first column whose name is a time's with a signal's beside it: `t_ppg`, `ECG time`."""
    for name in names:
        words = set(_plain(name).split())
        if words & signal and words & {"t", "ts", "time", "timestamp", "timestamps"}:
            return name
    return None


def _of_strap(plain: dict[str, str]) -> str | None:
    """The first rate that is said to be of a strap or a reference: `ecg_hr` beside a watch's."""
    known = ((set(p.split()), name) for p, name in reversed(plain.items()))
    return next((n for w, n in known if w & _STRAP and w & _RATE and not w & _NO_RATE), None)


def _lead(plain: dict[str, str]) -> str | None:
    """The first column with the word ECG that is no rate and no status."""
    leads = [p for p in plain if "ecg" in p.split() and not _NOT_PPG & set(p.split())]
    return plain[leads[-1]] if leads else None  # names stand in reverse


def _plain(name: str) -> str:
    """Words of a name in small letters, without its unit and without accents."""
    name = _WORD.sub(lambda found: f" {_CHARACTERS[found[0].lower()]} ", name)
    text = unicodedata.normalize("NFKD", name.replace("\u0142", "l"))
    text = text.encode("ascii", "ignore").decode()
    text = re.sub(r"[\[(][^\])]*[\])]", " ", text)
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    words = [_MEANT.get(word, word) for word in re.findall(r"[a-z0-9]+", text.lower())]
    while len(words) > 1 and words[-1] in (*TIME_UNITS, "cal", "g", "mg", "mv"):
        words.pop()
    return " ".join(words)


def _ppg(names: Sequence[str]) -> tuple[str, ...]:
    words = {name: re.findall(r"[a-z]+|\d+", _plain(name)) for name in names}
    found = [n for n in names if _PPG_WORDS & set(words[n]) and not _NOT_PPG & set(words[n])]
    found = found or [n for n in names if words[n] in (["waveform"], ["value", "waveform"])]
    found = found or [n for n in names if words[n][:1] == ["channel"] and len(words[n]) == 2]
    found = found or [
        n for n in names if set(words[n]) & set(_LIGHT) and sum(map(str.isalpha, words[n])) <= 2
    ]
    stems = {name: _BESIDE_IR.fullmatch(name) for name in names}
    beside = {stem[1].lower() for name, stem in stems.items() if stem and name in found}
    green = [n for n in names if (stem := _GREEN.fullmatch(n)) and stem[1].lower() in beside]
    if green:
        return tuple(green)
    for light in _LIGHT:
        of_light = [name for name in found if light in words[name]]
        if of_light:
            return tuple(of_light)
    return tuple(found)


def _acc(names: Sequence[str]) -> tuple[str, ...]:
    """Three names that differ in x, y, z or a number alone; of several the first with a word of
    it."""
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        if match := re.fullmatch(r"(.*?)[ ]?([xyz0-3])((?: \S+)?)", _plain(name)):
            groups.setdefault(f"{match[1]}|{match[3]}", {})[match[2]] = name
    found = {(key, "".join(sorted(axes))): axes for key, axes in groups.items()}
    # Without gravity only where there is no other.
    for key, axes in sorted(
        found, key=lambda o: ("linear" in o[0] or "user" in o[0], o[0] != "|")
    ):
        words = set(re.findall(r"[a-z]+", key))
        named = axes == "xyz" and (words & _ACC_WORDS or key in ("|", "| axis"))
        if named or (axes in ("012", "123") and words & _ACC_WORDS - {"a"}):
            return tuple(found[key, axes][axis] for axis in axes)
    return ()
