-- the rules that fees are computed by
-- depends: 0040_fx

-- migrate: apply

-- A rule is only ever added to: a change is a row with a higher version, and the highest version in force counts (cells/fx/fees.py).
-- tenant_id '' is everybody's. applies and amount are expressions (cells/fx/expressions.py).
create table fee_rules (
    compliance_region text not null,
    tenant_id text not null,
    rule text not null check (rule ~ '^[a-z][a-z0-9-]{0,39}$'),
    version integer not null check (version > 0),
    kind text not null check (kind in ('PRE', 'POST')),
    applies text not null,
    amount text not null,
    effective_from instant not null,
    effective_to instant check (effective_to > effective_from),
    created_at instant not null default now(),
    primary key (compliance_region, tenant_id, rule, version)
) partition by list (compliance_region);

call kovra_protect('fee_rules');

-- Nobody may change or take away a rule by which a quote was priced.
grant select, insert on fee_rules to kovra_writer;
grant select on fee_rules to kovra_api;

-- migrate: rollback
