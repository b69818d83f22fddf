"""Names in a scheme's letters: the EPC's conversion table (EPC217-08), every Latin letter that Unicode has, and what is refused."""

import sys
import unicodedata

import pytest

from cells.rails.iso20022.sent import party_sent, remittance_sent
from cells.rails.iso20022.text import Unwritable, Written, convert, unwritable_letters, written, written_or_empty
from cells.rails.profile import RailProfile
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import Party
from cells.rails.snap.access import fitted

SEPA = rail_profiles()["sepa_instant"].text

# Each language's letters outside a to z, and what the table makes of them. ß, æ, œ, þ and ĳ keep both letters (see text.py).
ALPHABETS = {
    "Bulgarian": (
        "абвгдежзийклмнопрстуфхцчшщъьюя",
        "a b v g d e zh z i y k l m n o p r s t u f h ts ch sh sht a y yu ya",
    ),
    "Croatian": ("čćđšžČĆĐŠŽ", "c c d s z C C D S Z"),
    "Czech": ("áčďéěíňóřšťúůýž", "a c d e e i n o r s t u u y z"),
    "Danish": ("æøåÆØÅ", "ae o a AE O A"),
    "Dutch": ("ĳĲëï", "ij IJ e i"),
    "Estonian": ("õäöüšž", "o a o u s z"),
    "French": ("àâçéèêëîïôœùûüÿ", "a a c e e e e i i o oe u u u y"),
    "German": ("äöüßẞ", "a o u ss SS"),
    "Greek": (
        "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",
        "a v g d e z i th i k l m n x o p r s s t y f ch ps o a e i i o y o i y i y",
    ),
    "Hungarian": ("áéíóöőúüű", "a e i o o o u u u"),
    "Icelandic": ("áðéíóúýþæö", "a d e i o u y th ae o"),
    "Irish": ("áéíóúḃċḋḟġṁṗṡṫ", "a e i o u b c d f g m p s t"),
    "Latvian": ("āčēģīķļņšūžŗō", "a c e g i k l n s u z r o"),
    "Lithuanian": ("ąčęėįšųūž", "a c e e i s u u z"),
    "Maltese": ("ċġħż", "c g h z"),
    "Polish": ("ąćęłńóśźżŁ", "a c e l n o s z z L"),
    "Romanian": ("ăâîșțşţ", "a a i s t s t"),
    "Sami": ("áčđŋšŧžŦǥǧǩǯ", "a c d n s t z T g g k zh"),
    "Turkish": ("çğıöşüİ", "c g i o s u I"),
    "Azerbaijani": ("əƏğı", "e E g i"),
    "Vietnamese": ("ăâđêôơưằẵễộợữỹ", "a a d e o o u a a e o o u y"),
    "Welsh": ("âêîôûŵŷẁẃẅ", "a e i o u w y w w w"),
    "Old Norse": ("ǽǿǫ", "ae o o"),
    "Pinyin": ("āáǎàǖǘǚǜ", "a a a a u u u u"),
    "Yoruba": ("ẹọṣńḿ", "e o s n m"),
    "Hausa": ("ɓɗƙƴ", "b d k y"),
}


@pytest.mark.parametrize(("letters", "expected"), ALPHABETS.values(), ids=list(ALPHABETS))
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_each_letter_is_spelt_in_either_form(letters: str, expected: str, form: str) -> None:
    found = [written(f"a{unicodedata.normalize(form, one)}", SEPA, 70)[1:] for one in letters]
    assert found == expected.split()


@pytest.mark.parametrize("profile", rail_profiles().values(), ids=lambda one: one.name)
def test_no_latin_greek_or_cyrillic_letter_is_lost(profile: RailProfile) -> None:
    scripts = ("LATIN ", "GREEK ", "CYRILLIC ", "FULLWIDTH LATIN ", "MODIFIER LETTER ")
    letters = [
        one
        for one in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(one)[0] == "L" and unicodedata.name(one, "").startswith(scripts)
    ]
    assert len(letters) > 2_000
    lost = [one for one in letters if convert(f"a{one}a", profile.text, 70).lost]
    assert lost == []
    assert [one for one in letters if unwritable_letters(one)] == []
    # Within the table's own range a letter becomes letters, but for tone letters and the glottal stop's kin.
    plain = [one for one in letters if one < "\u0180" and one != "ŉ"]
    assert [one for one in plain if not written(f"a{one}a", profile.text, 70).isalpha()] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Jean‐Luc Ponty", "Jean-Luc Ponty"),
        ("Jean‑Luc – Ponty", "Jean-Luc - Ponty"),
        ("Oʻzbekiston Maʼmur", "O'zbekiston Ma'mur"),
        ("O´Neil O`Neil O’Neil", "O'Neil O'Neil O'Neil"),
        ("Əliyev Ŧuomas Ǽgir", "Eliyev Tuomas AEgir"),
        ("GROẞMANN", "GROSSMANN"),
        ("Nguyễn Thị Ánh", "Nguyen Thi Anh"),
        ("Çağrı Şükrü İnönü", "Cagri Sukru Inonu"),
        ("Ĩñãkî x̌y", "Inaki xy"),
        ("Живко Щерев", "Zhivko Shterev"),
        ("Ｆｕｌｌ Ｗｉｄｔｈ", "Full Width"),
        ("ﬁnn № ½", "finn No 1/2"),
        ("[A] {B} C;D\\E|F~G", "(A) (B) C,D/E/F-G"),
        ("A\u00a0B\u2009C", "A B C"),
        ("Unit ٣", "Unit 3"),
        ("Anna 🎉", "Anna ."),
    ],
)
def test_names_survive(name: str, expected: str) -> None:
    assert written(name, SEPA, 70) == expected


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("李 3", [1]),
        ("Wang 李", [6]),
        ("王伟", [1, 2]),
        ("محمد", [1, 2, 3, 4]),
        ("한글 Kim", [1, 2]),
        ("Ωμέγα שלום", [7, 8, 9, 10]),
    ],
)
def test_a_name_that_would_lose_a_letter_is_refused(name: str, places: list[int]) -> None:
    assert unwritable_letters(name) == places
    for profile in rail_profiles().values():
        with pytest.raises(Unwritable):
            written(name, profile.text, 140)


def test_free_text_keeps_what_it_can() -> None:
    assert written_or_empty("発票 4711", SEPA, 140) == ".. 4711"
    assert written_or_empty("発票", SEPA, 140) == ""


def test_what_is_cut_is_counted() -> None:
    assert convert("Straße " * 30, SEPA, 70) == Written(
        ("Strasse " * 30)[:70].strip(), len("Strasse " * 30) - 1 - 70, 0
    )
    assert convert("x" * 70, SEPA, 70) == Written("x" * 70, 0, 0)
    assert convert("x" * 71, SEPA, 70) == Written("x" * 70, 1, 0)
    assert convert("щ" * 70, SEPA, 140).cut == 70


def test_snap_tells_of_its_own_lengths() -> None:
    profile = fitted(rail_profiles()["bi_fast"])
    assert party_sent(Party("x" * 140), profile) == ("x" * 100, {"name": 40})
    assert remittance_sent("x" * 140, profile) == ("x" * 50, 90)
    assert remittance_sent("x" * 140, rail_profiles()["bi_fast"]).cut == 0
