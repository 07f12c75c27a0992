"""Words: the small lexicon that tells verbs, roles and little words apart."""

from __future__ import annotations

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_REGULAR = """
accept accompany achieve act add address adjust admit advise affect agree aim alert align allow announce answer apply
appoint approve arrange arrive ask assess assign assist attach attend authorize authorise avoid award belong block
book call cancel carry cause certify change charge check claim clean clear close collect combine comply complete
conduct confirm connect consider consist contact contain continue contribute control coordinate count cover create
cross decide define deliver depend describe design determine develop direct discuss display distribute document
download drop earn email enable encourage end enforce ensure enter establish evaluate exceed exist expect expire
explain extend facilitate fail file fill finish fix float follow form fund gather govern grant guard guide handle
happen help hire host identify implement improve include increase indicate inform inspect install introduce invite
involve issue join last launch lift limit link list live load lock log look maintain manage mark match measure mention
monitor move need note notify obtain occur offer open operate order organize organise own pack park participate pass
perform permit place plan play point post prefer prepare present press prevent print process produce prohibit promote
propose protect provide publish pull pump purchase push qualify raise reach receive recommend record recruit reduce
refer reflect register reimburse release rely renew reopen restart resubmit remain remove rent replace report
represent request require reserve resolve respond result retain return review rotate sail save schedule search select
serve ship sign sound start state stay stop store submit supply support suspend test touch track train transfer travel
treat trigger turn update upload use vary view visit wait walk want warn wash watch weigh work
"""
_IRREGULAR = """
become/became/become begin/began/begun bring/brought/brought build/built/built buy/bought/bought choose/chose/chosen
come/came/come cost/cost/cost cut/cut/cut draw/drew/drawn drive/drove/driven fall/fell/fallen find/found/found
fly/flew/flown get/got/got give/gave/given go/went/gone grow/grew/grown hang/hung/hung hold/held/held keep/kept/kept
know/knew/known lay/laid/laid lead/led/led leave/left/left lose/lost/lost make/made/made mean/meant/meant meet/met/met
oversee/oversaw/overseen pay/paid/paid put/put/put read/read/read rebuild/rebuilt/rebuilt reset/reset/reset
ring/rang/rung rise/rose/risen run/ran/run see/saw/seen seek/sought/sought sell/sold/sold send/sent/sent set/set/set
show/showed/shown sink/sank/sunk sit/sat/sat speak/spoke/spoken spend/spent/spent spread/spread/spread
stand/stood/stood strike/struck/struck take/took/taken teach/taught/taught tell/told/told wear/wore/worn win/won/won
write/wrote/written have/had/had
"""
_DOUBLED = _set("stop ship plan submit permit refer prefer occur drop log admit transfer run cut get put set")


def third(base: str) -> str:
    """``carry`` -> ``carries``."""
    if base == "have":
        return "has"
    if re.search(r"[^aeiou]y$", base):
        return base[:-1] + "ies"
    return base + ("es" if re.search(r"(?:s|x|z|ch|sh|o)$", base) else "s")


def past(base: str) -> str:
    """``carry`` -> ``carried``; regular verbs only."""
    if base in _DOUBLED:
        return base + base[-1] + "ed"
    if re.search(r"[^aeiou]y$", base):
        return base[:-1] + "ied"
    return base + ("d" if base.endswith("e") else "ed")


def _gerund(base: str) -> str:
    if base in _DOUBLED:
        return base + base[-1] + "ing"
    return (base[:-1] if re.search(r"[^e]e$", base) else base) + "ing"


_FORMS = {base: (past(base), past(base)) for base in _REGULAR.split()}
_FORMS |= {base: (then, done) for base, then, done in (entry.split("/") for entry in _IRREGULAR.split())}
BASES = frozenset(_FORMS)
THIRDS = {third(base): base for base in _FORMS}
# A past form that is a base form too ("cut", "set") says nothing about the time.
PASTS = {done: base for base, (done, _) in _FORMS.items() if done not in _FORMS and done not in THIRDS}
PARTICIPLES = {done: base for base, (_, done) in _FORMS.items()}
GERUNDS = {_gerund(base): base for base in _FORMS} | {"being": "be", "doing": "do"}

# Verbs that are nouns as often, so that "Reports ..." or a heading "Contact" says little about its grammar.
ALSO_NOUNS = _set("""
contact work use support review test process report design travel access plan document form list check change cost
charge claim display need offer order pack park place play point post press print purchase record release request
result return schedule search ship show sign sound start state stay stop store supply touch track train view visit
transfer treat trigger turn update upload wait walk wash watch host guide guard address answer aim award block book
call cause count cover drop email end file fit fix fund limit link load lock log look mark match measure note run lead
leave set cut draw fall hold keep lay read ring rise live help raise influence issue value benefit
""")
AUXILIARIES = _set("is are was were must may can cannot should will shall would could might")
DETERMINERS = _set("the a an each every all any some no our your its their his her both most many one two three")
PREPOSITIONS = _set("""
about above across after against along among around as at before behind below beneath beside between beyond by during
for from in inside into near of off on onto out outside over past since through throughout to toward towards under
until up upon via with within without
""")
CLAUSE_WORDS = _set("""
once that which who whose whom where when whenever if because while although though unless than so whether how what
why but or as
""")
PRONOUNS = _set("""
it they them this that these those he she him here there one ones others another such some many most few both
everything anything nothing something none i
""")
NUMBERS = _set("""
two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen twenty thirty forty fifty
sixty ninety
""")
ROLES = _set("""
master officer manager lead leader director supervisor supervisors engineer captain chief head chair clerk driver
rigger keeper crew team committee board staff employee employees staffer watchman warden guard pilot mate secretary
treasurer president coordinator administrator specialist analyst designer developer owner person people member members
contractor contractors facilitator mentor coach instructor operator inspector electrician nobody everyone anyone
somebody someone partner partners diver bosun cook nurse doctor teacher buyer traveler traveller approver reviewer
author editor recruiter candidate candidates applicant applicants liaison advisor adviser
""")
# Last words of capitalised names that are no people.
NO_SURNAMES = _set("""
Act Agency Bank Bay Board Card Building Bridge Centre Center City Committee Company Council County Court Day Department
Design Digital Division Drive District Express Form Fund Group Guide Hall Harbor Harbour Hill House Hub Island Lane
Library Links Maid Meet Ministry Mile Office Park Plan Platform Policy Port Program Programme Project Quay Reach
Reader Register Road Room Row School Service Services Site Slack Staithe States Station Street System Team Tower
Training Travel University Ward Workspace Yard Data Hours Pay Leave Drills
""")
# What people do, so that a capitalised subject is likely to be one of them.
PERSONAL = _set("""
be lead review decide check sign approve oversee greet teach inspect wash wear ring renew tell speak write read record
clean keep order answer train hire
""")
