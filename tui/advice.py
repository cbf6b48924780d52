"""What to do next about the release: one sentence, with the keys that do it."""

from checklist.language import gettext as _
from checklist.lifecycle import GREEN, State
from checklist.reports.status_report import ItemReport, StatusReport
from tui.ordering import holds
from tui.words import KeyOf, flat


def next_step(report: StatusReport, key_of: KeyOf) -> str:
    """Say what to do about the first of the gate's reasons, which is about an item or the final check."""
    blockers = [item for item in report.items if item.severity == "blocker"]
    if not blockers:
        return _("{key} edits the checklist: it needs an item of severity blocker.").format(
            key=key_of("edit")
        )
    about = report.gate.about[0]
    worst = next((item for item in blockers if item.id == about and item.state not in GREEN), None)
    if worst is None:
        return _("{key} runs the final check: it alone can make GO.").format(key=key_of("final-check"))
    if worst.state is State.INHIBITED:
        return _("See to {items} first.").format(items=", ".join(worst.waits_for))
    if worst.probe is None:
        return _("{key} on it attests it, once it is so.").format(key=key_of("mark"))
    if worst.is_wrong:
        return _repair(worst, key_of)
    held = [item for item in blockers if holds(item)]
    if len(held) > 1 and not any(item.is_wrong for item in held):
        text = _("{rest} runs all that is not green; then {final}, the final check, can make GO.")
        return text.format(rest=key_of("run-open"), final=key_of("final-check"))
    return _("{key} on it runs its probe: only that proves it.").format(key=key_of("run"))


def _repair(item: ItemReport, key_of: KeyOf) -> str:
    # A command is what a tired hand wants; why it helps stands beside it, where there is room for the hint.
    what = f"$ {flat(item.repair)}" if item.repair else flat(item.evidence.hint if item.evidence else "")
    if what:
        return _("{what}  ({key} on it runs its probe)").format(what=what, key=key_of("run"))
    return _("Repair it; then {key} on it runs its probe.").format(key=key_of("run"))
