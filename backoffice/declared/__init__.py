"""Every setting of the product, in one list: its name, kind, default and meaning.

`.env.example` and docs/settings.md are written from it, in this order, by `make settings`.
"""

from backoffice.declared import money, people, servers, work
from backoffice.declared.setting import Setting

SECTIONS: dict[str, tuple[Setting, ...]] = {
    **servers.SECTIONS,
    **money.SECTIONS,
    **people.SECTIONS,
    **work.SECTIONS,
}
