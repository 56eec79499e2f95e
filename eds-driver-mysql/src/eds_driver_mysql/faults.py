"""What an error of MySQL's or MariaDB's means: its number as an SQLSTATE. Pure."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping

import pymysql

from eds_core.sql.errors import LOST, UNKNOWN, Fault, first_sentence

_TLS = "TLS00"

#: Both servers' numbers. Their own SQLSTATEs are too coarse: mostly HY000 and 42000.
_NUMBERS: Mapping[str, tuple[int, ...]] = {
    LOST: (2006, 2013, 2014, 2055, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031),
    "08001": (2001, 2002, 2003, 2005),
    "0A000": (1235, 1178, 1288, 1347, 1471),
    "22000": (1265, 1292, 1300, 1366, 1367, 1411, 1416, 3140, 3141, 3156, 4025, 4079),
    "22001": (1406,),
    "22003": (1264, 1690),
    "23502": (1048, 1263, 1364),
    "23503": (1216, 1217, 1451, 1452),
    "23505": (1062, 1169, 1586),
    "23514": (3819,),
    "25006": (1290, 1792, 1836, 3989),
    "28000": (1045, 1129, 1130, 1251, 1698, 1820, 1862, 3118, 3159, 4151, 2059, 2061),
    "3D000": (1046, 1049),
    "40001": (1213, 1180, 1412, 1615, 1689, 3101, 3058),
    "42501": (1044, 1095, 1142, 1143, 1227, 1370, 1410),
    "42601": (1064, 1149),
    "42701": (1060,),
    "42703": (1054, 1091, 1072),
    "42P01": (1051, 1146, 1109),
    "42P07": (1050,),
    "2BP01": (1828, 1829, 1832, 1833, 1834, 3108, 3780),
    "44000": (1369,),
    "53100": (3, 1021, 1114, 3675),
    "53200": (5, 1037, 1038, 1041, 1206),
    "53300": (1040, 1203, 1226, 1637),
    "54011": (1117, 1118, 1071, 1170),
    "55P03": (1099, 1100, 1205, 3572),
    "57014": (1317, 1969, 3024),
    "57P01": (1053, 1077, 1079),
    "58030": (1025, 1026, 1030, 1035, 1815, 1877),
    _TLS: (2026, 3161),
    "P0001": (1644,),
    UNKNOWN: (1153, 1301, 1665),  # a person has to change the server's settings
}
_STATES: Mapping[int, str] = {
    number: state for state, numbers in _NUMBERS.items() for number in numbers
}

#: LOAD DATA LOCAL is switched off at the server or at a proxy before it.
NO_LOCAL_FILES = frozenset((1148, 2068, 3948, 3950, 4166))

_ADVICE: Mapping[int, str] = {
    1044: "GRANT the privileges of this driver's README on the database",
    1129: "FLUSH HOSTS on the server, then see why connections were broken off",
    1130: "CREATE USER for this host: MySQL knows users by name and host",
    1153: "raise max_allowed_packet on the server",
    1665: "SET GLOBAL binlog_format = 'ROW' on the server",
    2003: "see that the server runs and that this host may reach it",
    2026: "switch TLS on at the server, or use a host that is this machine",
    3161: "write ssl_mode=REQUIRED in the URL",
}

#: These name tables, columns and users; all others may quote a value.
_NAMES_ONLY = frozenset(
    _NUMBERS["42501"]
    + _NUMBERS["28000"]
    + _NUMBERS["3D000"]
    + _NUMBERS["53300"]
    + _NUMBERS["42P01"]
    + _NUMBERS["42P07"]
    + _NUMBERS["42701"]
    + _NUMBERS["42703"]
    + _NUMBERS["23502"]
    + _NUMBERS["25006"]
    + _NUMBERS["2BP01"]
    + _NUMBERS["08001"]
    + _NUMBERS["58030"]
    + _NUMBERS["53100"]
    + (1406, 1118, 1071, 1170, 1317, 1205, 1213)
)
_NAMED = re.compile(
    r"(?:column|key|constraint|field) ((?:[`'\"][^`'\"]+[`'\"]\.?)+)", re.IGNORECASE
)
_NAME = re.compile(r"[^`'\".]+")
_VALUE = re.compile(r"'.*'|'.*|\".*\"|\".*", re.DOTALL)
_AT_ROW = re.compile(r" at row \d+$")


def read_fault(error: BaseException) -> Fault:
    """Reduce an exception of PyMySQL's to what may be shown."""
    number = error.args[0] if error.args else None
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        told = f"the server's certificate is not accepted: {cause.verify_message}"
        advice = "check ssl_ca and the host against the server's certificate"
        return Fault(_TLS, told, advice=advice)
    if isinstance(error, pymysql.err.InterfaceError) and number == 0:
        return Fault(LOST, "the connection is closed")
    if not isinstance(number, int):
        lost = isinstance(error, pymysql.err.InternalError)  # out of step with it
        return Fault(LOST if lost else UNKNOWN, first_sentence(str(error)))
    return _told(number, str(error.args[1] if len(error.args) > 1 else ""), error)


def _told(number: int, said: str, error: BaseException) -> Fault:
    said = _AT_ROW.sub("", said.strip())
    state = _STATES.get(number) or getattr(error, "sqlstate", None) or UNKNOWN
    named = _NAMED.findall(said)
    name = _NAME.findall(named[-1])[-1] if named else ""
    if number in _NAMES_ONLY:
        text = said.splitlines()[0][:300] if said else "no reason given"
    else:
        text = _VALUE.sub("'…'", said).splitlines()[0][:200] if said else ""
        text = f"{text} ({name})" if name else text
    return Fault(state, f"{text} [{number}]", name, advice=_ADVICE.get(number, ""))
