"""The tables of ``docs/gateway.md``: made of the declarations, with the test that stands behind each row.

``python -m tests.gateway.page`` writes them into the page, and the JSON Schema beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asgi_express.gateway import schema
from asgi_express.gateway._kinds import KINDS
from asgi_express.gateway._middleware import builtin
from asgi_express.gateway._problems import CODES

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
SCHEMA = PAGE.with_suffix(".schema.json")
BLOCK = re.compile(r"(<!-- (\w+): made by tests/gateway/page.py -->\n).*?(<!-- end -->)", re.DOTALL)

# The test behind a field, as file:function without their "test_"; by kind where one test shows all of its fields.
FIELDS: dict[str, str] = {
    "http.service": "service:what_is_said_is_there_for_the_server",
    "http.service.addr": "service:an_address_has_a_host_and_a_port",
    "http.service.host.buffer_size": "relays:the_size_of_inboxes_is_that_of_the_service",
    "http.service.timeouts.read": "service:a_body_that_does_not_come_in_time_over_http_is_408",
    "http.service.timeouts.write": "service:an_answer_that_takes_too_long_is_503_or_cut_off",
    "http.service.lifecycle.start_timeout": "reload:what_takes_longer_than_its_start_timeout_has_not_started",
    "http.service.lifecycle.depends_on": "service:services_start_after_what_they_depend_on_and_stop_before_it",
    "http.service.lifecycle.security": "service:the_baseline_actor_acts_where_no_token_says_who_does",
    "http.service.tls": "service:a_service_with_tls_answers_over_it",
    "http.service.tls.client_ca": "service:a_client_without_a_certificate_is_refused_where_one_is_required",
    "http.service.tls.client_auth": "service:a_client_may_come_without_a_certificate_but_not_with_a_strange_one",
    "http.router": "entries:the_longest_prefix_gets_the_request_and_nobody_else_does",
    "http.router.middleware": "options:an_option_of_wippy_does_what_it_says",
    "http.router.options": "options:an_option_does_the_same_in_the_older_form_with_underscores",
    "http.router.post_middleware": "options:a_registered_middleware_stands_before_or_after_the_match",
    "http.router.post_options": "options:options_name_functions_and_policies",
    "http.endpoint": "entries:the_most_specific_path_answers_whatever_the_order",
    "http.endpoint.method": "entries:an_endpoint_answers_its_method_and_no_other",
    "http.endpoint.func": "http:a_function_has_any_of_the_shapes_of_a_handler",
    "http.static": "entries:files_are_served_below_a_path",
    "http.static.static_options": "entries:the_page_of_an_application_answers_navigations_and_is_asked_for_anew",
    "http.static.static_options.cache": "entries:another_index_and_a_cache_value",
    "http.static.middleware": "entries:files_have_middleware_and_give_way_to_a_router_of_their_path",
    "http.static.options": "entries:files_have_middleware_and_give_way_to_a_router_of_their_path",
    "fs.directory": "entries:files_are_served_below_a_path",
    "function.python": "entries:functions_of_one_file_share_its_module_and_two_gateways_do_not",
    "function.python.source": "entries:a_function_may_be_of_a_module_that_python_finds",
    "function.python.modules": "seed:the_complete_example_of_wippy_answers_over_http",
    "store.memory": "entries:a_token_has_its_length_signature_and_end",
    "store.memory.full": "entries:a_store_that_evicts_makes_room",
    "store.redis": "options:limits_and_tokens_are_kept_in_redis",
    "security.policy": "entries:a_policy_of_a_group_decides",
    "security.policy.policy.effect": "entries:a_policy_that_denies_wins_and_one_outside_of_the_group_does_not_count",
    "security.policy.policy.conditions": "entries:a_condition_of_a_policy",
    "security.policy.groups": "entries:a_policy_that_denies_wins_and_one_outside_of_the_group_does_not_count",
    "security.policy.expr": "entries:a_policy_with_an_expression_decides",
    "security.token_store": "entries:a_token_has_its_length_signature_and_end",
    "security.token_store.jwt": "jwt:an_option_says_which_tokens_are_taken",
    "security.token_store.jwt.keys": "jwt:keys_are_secrets_public_keys_files_and_jwks_and_several_rotate",
    "security.token_store.jwt.jwks": "jwt:an_option_of_the_keys_that_are_fetched_is_handed_on",
    "security.token_store.jwt.jwks.url": "jwt:keys_are_fetched_over_tls_that_an_authority_of_its_own_certifies",
    "security.token_store.jwt.jwks.ca": "jwt:keys_are_fetched_over_tls_that_an_authority_of_its_own_certifies",
    "security.token_store.jwt.jwks.issuer": "jwt:the_issuer_says_where_its_keys_are",
    "security.token_store.jwt.jwks.insecure": "jwt:the_issuer_says_where_its_keys_are",
    "security.token_store.jwt.required": "jwt:functions_make_the_actor_and_the_policies_and_look_up_what_was_revoked",
    "security.token_store.jwt.to_actor": "jwt:functions_make_the_actor_and_the_policies_and_look_up_what_was_revoked",
    "security.token_store.jwt.to_scope": "jwt:functions_make_the_actor_and_the_policies_and_look_up_what_was_revoked",
    "security.token_store.jwt.groups_claim": "jwt:a_claim_names_the_groups_whose_policies_apply",
    "security.token_store.jwt.max_size": "jwt:a_longer_token_than_is_said_is_not_read",
    "env.variable": "entries:a_placeholder_stands_for_a_variable",
}

WIPPY = "options:an_option_of_wippy_does_what_it_says"
OURS = "options:every_option_is_read_as_what_its_class_takes"


def test_of(name: str) -> str:
    """Return the test behind a field: its own, or that of the mapping or kind around it."""
    while name not in FIELDS:
        name = name.rpartition(".")[0]
    return FIELDS[name]


def shown(value: Any) -> str:
    """Return a default as a file would have it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`{', '.join(map(str, value))}`" if value else "none"
    return f"`{value}`"


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def fields() -> Iterator[str]:
    """Give the tables of the kinds."""
    for kind in KINDS.values():
        yield f"### `{kind.name}`\n\n{kind.doc}\n"
        if not kind.fields:
            yield "It has no fields.\n"
            continue
        yield "| field | holds | default | what it is | test |\n|---|---|---|---|---|"
        for field in kind.fields:
            default = "required" if field.required else shown(field.default)
            test = test_of(f"{kind.name}.{field.name}")
            yield f"| `{field.name}` | {cell(field.type.words)} | {default} | {cell(field.doc)} | {test} |"
        yield ""


def options(wippy: set[str]) -> Iterator[str]:
    """Give the table of the options of middleware."""
    yield "| option | holds | default | test |\n|---|---|---|---|"
    for spec in builtin().values():
        for name, option in spec.options.items():
            default = "required" if option.required else shown(spec.defaults.get(name, option.default))
            key = f"{spec.name}.{name.replace('_', '.')}"
            if len(default) > 60:
                default = "see its page"
            test = WIPPY if normal(key) in wippy else OURS
            yield f"| `{key}` | {cell(option.type.words)} | {default} | {test} |"


def codes() -> Iterator[str]:
    """Give the table of the codes of problems."""
    yield "| code | what it is about |\n|---|---|"
    for code, about in CODES.items():
        yield f"| `{code}` | {about} |"


def normal(key: str) -> str:
    return key.replace(".", "_")


def written(page: str) -> str:
    """Return the page with its tables made anew."""
    from tests.gateway.test_options import CASES

    tables = {
        "kinds": fields(),
        "options": options({normal(case.option) for case in CASES}),
        "codes": codes(),
    }
    return BLOCK.sub(lambda match: match[1] + "\n" + "\n".join(tables[match[2]]).strip() + "\n\n" + match[3], page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
    SCHEMA.write_text(json.dumps(schema(), indent=2) + "\n")
