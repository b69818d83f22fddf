-- quotes, and how much of their limits tenants have used
-- depends: 0002_tenants

-- migrate: apply

-- A quote is a promise in whole minor units. source_minor is all that leaves the wallet; target_minor is what is paid out, and
-- recipient_fee_minor of it is paid by the recipient. fees: what each fee rule took (kind, rule, version, amount_minor); tags: the
-- caller's labels that they were computed for.
-- transfer_id is the one transfer that took it: set once, by the conditional update of cells/fx/store.py.
create table quotes (
    compliance_region text not null,
    quote_id text not null,
    tenant_id text not null,
    source_currency text not null,
    target_currency text not null,
    side text not null check (side in ('source', 'target')),
    rail text not null,
    principal_minor bigint not null check (principal_minor > 0),
    margin_minor bigint not null check (margin_minor >= 0),
    fee_minor bigint not null check (fee_minor >= 0),
    source_minor bigint not null check (source_minor = principal_minor + margin_minor + fee_minor),
    target_minor bigint not null check (target_minor > 0),
    recipient_fee_minor bigint not null default 0 check (recipient_fee_minor between 0 and target_minor - 1),
    fees jsonb not null default '[]',
    tags jsonb not null default '[]',
    margin_bps integer not null,
    rate text not null,
    rate_as_of date not null,
    rate_origin text not null,
    created_at instant not null default now(),
    expires_at instant not null check (expires_at > created_at),
    transfer_id text,
    used_at instant,
    primary key (compliance_region, quote_id),
    unique (compliance_region, tenant_id, transfer_id),
    check ((transfer_id is null) = (used_at is null)),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);
create index quotes_by_tenant on quotes (compliance_region, tenant_id, quote_id);

-- What has been sent in one currency on `day` and in the month that begins with `month`, in UTC: by a tenant (subject ''), from one of
-- its wallets, for one of its payers.
create table limit_usage (
    compliance_region text not null,
    tenant_id text not null,
    currency text not null,
    scope text not null check (scope in ('tenant', 'wallet', 'payer')),
    subject text not null,
    day date not null,
    day_amount bigint not null check (day_amount >= 0),
    day_transfers integer not null check (day_transfers >= 0),
    month date not null,
    month_amount bigint not null check (month_amount >= 0),
    month_transfers integer not null check (month_transfers >= 0),
    primary key (compliance_region, tenant_id, currency, scope, subject),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);

call kovra_protect('quotes');
call kovra_protect('limit_usage');

grant select on quotes, limit_usage to kovra_api;
grant insert (compliance_region, quote_id, tenant_id, source_currency, target_currency, side, rail, principal_minor,
              margin_minor, fee_minor, source_minor, target_minor, recipient_fee_minor, fees, tags,
              margin_bps, rate, rate_as_of, rate_origin, expires_at)
    on quotes to kovra_api;
grant select on quotes to kovra_writer;
grant update (transfer_id, used_at) on quotes to kovra_writer;
grant select, insert, update on limit_usage to kovra_writer;

-- migrate: rollback
