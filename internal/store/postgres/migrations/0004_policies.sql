-- +goose Up
-- A second net under the conditions that every statement has (T-01): in a
-- transaction that has named its account, rows of others are not there. The
-- setting is empty where a statement carries the account in each row's key. It
-- holds for the tables' owner too; superusers and roles with BYPASSRLS pass it.

ALTER TABLE otps ENABLE ROW LEVEL SECURITY;
ALTER TABLE otps FORCE ROW LEVEL SECURITY;
CREATE POLICY otps_account ON otps USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY deliveries_account ON deliveries USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
CREATE POLICY events_account ON events USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE tallies ENABLE ROW LEVEL SECURITY;
ALTER TABLE tallies FORCE ROW LEVEL SECURITY;
CREATE POLICY tallies_account ON tallies USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY idempotency_account ON idempotency USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE callbacks ENABLE ROW LEVEL SECURITY;
ALTER TABLE callbacks FORCE ROW LEVEL SECURITY;
CREATE POLICY callbacks_account ON callbacks USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE templates ENABLE ROW LEVEL SECURITY;
ALTER TABLE templates FORCE ROW LEVEL SECURITY;
CREATE POLICY templates_account ON templates USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE profiles FORCE ROW LEVEL SECURITY;
CREATE POLICY profiles_account ON profiles USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE profile_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE profile_links FORCE ROW LEVEL SECURITY;
CREATE POLICY profile_links_account ON profile_links USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE priorities ENABLE ROW LEVEL SECURITY;
ALTER TABLE priorities FORCE ROW LEVEL SECURITY;
CREATE POLICY priorities_account ON priorities USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE callback_configs ENABLE ROW LEVEL SECURITY;
ALTER TABLE callback_configs FORCE ROW LEVEL SECURITY;
CREATE POLICY callback_configs_account ON callback_configs USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE whatsapp_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE whatsapp_accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY whatsapp_accounts_account ON whatsapp_accounts USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE applications ENABLE ROW LEVEL SECURITY;
ALTER TABLE applications FORCE ROW LEVEL SECURITY;
CREATE POLICY applications_account ON applications USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE sandbox_messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE sandbox_messages FORCE ROW LEVEL SECURITY;
CREATE POLICY sandbox_messages_account ON sandbox_messages USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE sandbox_templates ENABLE ROW LEVEL SECURITY;
ALTER TABLE sandbox_templates FORCE ROW LEVEL SECURITY;
CREATE POLICY sandbox_templates_account ON sandbox_templates USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));
