-- the rules that limits are taken from
-- depends: 0040_fx

-- migrate: apply

-- A rule is only ever added to: another value is a row with a higher version, and the highest version in force counts
-- (cells/limits/rules.py). '' in tenant_id, tier or subject stands for all. value: minor units of the currency, or a number of transfers,
-- never more than a sum of 64 bits can hold.
create table limit_rules (
    compliance_region text not null,
    tenant_id text not null,
    tier text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    scope text not null check (scope in ('tenant', 'wallet', 'payer')),
    subject text not null check (subject = '' or scope <> 'tenant'),
    "window" text not null check ("window" in ('transfer', 'day', 'month')),
    measure text not null check (measure in ('amount', 'count')),
    version integer not null check (version > 0),
    value bigint not null check (value between 0 and case measure
        when 'count' then 2147483647 else case "window" when 'transfer' then 1000000000000000 else 1000000000000000000 end end),
    effective_from instant not null,
    effective_to instant check (effective_to > effective_from),
    created_at instant not null default now(),
    primary key (compliance_region, tenant_id, tier, currency, scope, subject, "window", measure, version),
    check (measure = 'amount' or "window" <> 'transfer')
) partition by list (compliance_region);

call kovra_protect('limit_rules');

grant select, insert on limit_rules to kovra_writer;
grant select on limit_rules to kovra_api;

-- migrate: rollback
