# ruff: noqa: RUF001  (words in many alphabets)
"""Words that make a spreadsheet take a text for a date, a truth value or an amount of money.

The candidates are the names of months and the currencies in Unicode's CLDR, and the truth values of many languages.
Kept are those that LibreOffice 7.4 converts in one of its languages ("detect special numbers"). Added are rupees, and
the beginnings of the names of months, which Excel takes too.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["CURRENCY", "MONTHS", "TRUTH_VALUES"]

_MONTHS: Final = (
    "abril agosto agustus août aprile aprilie aprill apríla aprīlis aralık augusta augusti augusts augustus "
    "augusztus avgust avril ağustos balandis balandžio birželio birželis březen března czerwca czerwiec december "
    "decembra decembrie decembris desember desembre detsember dezember dezembro dicembre diciembre disember duben "
    "dubna décembre ekim elokuuta enero eylül febbraio febrero februarie february februára februāris fevereiro "
    "février gegužės gener gennaio giugno grudnia grudzień gruodis gruodžio haziran heinäkuuta helmikuuta "
    "huhtikuuta ianuarie iulie iunie jaanuar janeiro januari january januára janvier janvāris joulukuuta juillet "
    "juin julai julho julij juliol july june junho junij junio juny juuli juuni júla július júna június jūlijs "
    "jūnijs kasım kesäkuuta kolovoza kovas kovo květen května kwiecień kwietnia lapkritis lapkričio leden ledna "
    "liepa liepos lipanj lipca lipiec lipnja listopada listopadu lokakuuta luglio lutego luty maaliskuuta maart mac "
    "maggio maig maijs maio maja marca march marec maret marraskuuta mars martie marts marzec marzo março mayo "
    "mayıs mei mrt mája május március märts märz nisan noiembrie november novembra novembre novembris novembro "
    "noviembre ocak october octobre octombrie octubre ogos oktober oktobris oktoober október októbra ottobre "
    "outubro ožujak ožujka października prosinac prosinca prosince prosinec rugpjūtis rugpjūčio rugsėjis rugsėjo "
    "rujan rujna sausio sausis september septembra septembre septembrie septembris septiembre setembre setembro "
    "settembre sierpień sierpnia siječanj siječnja spalio spalis srpanj srpen srpna srpnja studeni styczeń stycznia "
    "svibanj svibnja syyskuuta szeptember tammikuuta temmuz toukokuuta travanj travnja vasario vasaris veebruar "
    "veljača veljače wrzesień września září április února července červenec června říjen října şubat απριλίου "
    "αυγούστου δεκεμβρίου ιανουαρίου ιουλίου ιουνίου μαΐου μαρτίου νοεμβρίου οκτωβρίου σεπτεμβρίου φεβρουαρίου "
    "августа апрель апреля април березень березня вересень вересня грудень грудня декабрь декабря декември жовтень "
    "жовтня июль июля июнь июня квітень квітня липень липня листопада лютий лютого май марта мая мај ноември ноябрь "
    "ноября октомври октябрь октября сентябрь сентября септември серпень серпня січень січня травень травня февраль "
    "февраля февруари червень червня юли юни январь января януари јан јул јун אוגוסט אוקטובר אפריל דצמבר יולי יוני "
    "ינואר מאי מרץ נובמבר ספטמבר פברואר أبريل أغسطس أكتوبر ديسمبر سبتمبر فبراير مارس مايو نوفمبر يناير يوليو يونيو "
    "अगस्त जनवरी जून दिसंबर नवंबर मई मार्च सितंबर ก.ค ก.พ ก.ย กรกฎาคม กันยายน กุมภาพันธ์ ต.ค ตุลาคม ธ.ค ธันวาคม พ.ค "
    "พ.ย พฤศจิกายน พฤษภาคม ม.ค มกราคม มิ.ย มิถุนายน มี.ค มีนาคม ส.ค สิงหาคม เม.ย เมษายน "
    "一月 七月 三月 九月 二月 五月 八月 六月 十一月 "
    "十二月 十月 四月"
)

MONTHS: Final = frozenset(name[:end] for name in _MONTHS.split() for end in range(min(len(name), 3), len(name) + 1))
"""The names of months, and their beginnings of three characters and more."""

_TRUTH_VALUES: Final = (
    "adevărat aplams benar cert doğru epätosi fals falsch false falsk falskt falso faux fałsz hamis igaz nepravda "
    "netačno onwaar patiesa pravda prawda sai salah sand sann sant tačno tosi true tõene usann verdadeiro verdadero "
    "vero vrai väär waar wahr yanliş yanlış đúng вярно истина ложь лъжа невярно хибність істина จริง เท็จ 假 真 거짓 참"
)

TRUTH_VALUES: Final = frozenset(_TRUTH_VALUES.split())

CURRENCY: Final = re.compile(
    r"(?:[a-z]{0,4}\$|b/\.|br|chf|ft|kr\.?|kč|l|lei|q|rp?|rm|rs\.?|rsd|s/\.?|zł|сом)[\s+(-]*\d[\d\s.,')-]*",
    re.IGNORECASE,
)
"""Currencies that begin with a letter, before a number."""
