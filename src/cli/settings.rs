//! From the configuration to what the use-cases need to know.

use std::sync::Arc;

use time::Duration;

use crate::app::invitations::InvitationSettings;
use crate::app::redact::{Disclosure, ShownValues};
use crate::app::{DeviceAuth, PasswordChecks, PushSettings, Retention, Settings};
use crate::config::{self, AuthPolicy, Config, HttpsUrl, OnFailure, StatusPage, Transcripts, Wns};
use crate::domain::object::ObjectLimits;
use crate::proto::csp::first_sync_status::Page;
use crate::proto::{mde2, xml};
use crate::session::PageRules;

/// The settings of the use-cases; the URLs are those that are really bound.
pub(super) fn settings(config: &Config, url: &HttpsUrl, device_url: &HttpsUrl) -> Settings {
    let (ca, enroll, limits) = (&config.ca, &config.enroll, &config.limits);
    Settings {
        url: url.to_string(),
        device_url: device_url.to_string(),
        device_url_stays: config.server.device_url() == *device_url,
        provider_id: config.server.provider_id.clone(),
        display_name: if ca.organization.is_empty() { "Muster".to_owned() } else { ca.organization.clone() },
        contact: enroll.contact.trim().to_owned(),
        invitations: InvitationSettings {
            sign_in: enroll.sign_in,
            pin_digits: enroll.pin_digits,
            pin_lifetime: Duration::hours(i64::from(enroll.pin_hours)),
            lifetime: Duration::days(i64::from(enroll.invitation_days)),
            language: enroll.language,
        },
        require_generation: enroll.require_generation,
        domains: enroll.domains.iter().map(|domain| domain.to_lowercase()).collect(),
        auth_policy: match enroll.auth_policy {
            AuthPolicy::OnPremise => mde2::AuthPolicy::OnPremise,
        },
        // `config` has checked that it is a version.
        max_enrollment_version: enroll.max_version.parse().unwrap_or(mde2::Version::new(4)),
        bulk_prefix: enroll.bulk_prefix.clone(),
        // `config` has checked them.
        rules: enroll.rules().unwrap_or_default(),
        max_devices_per_user: enroll.max_devices_per_user,
        match_hardware: enroll.match_hardware,
        renewal: ca.renewal().expect("`config` has checked that the terms of renewal fit together"),
        min_key_bits: ca.min_key_bits,
        software_keys_only: ca.software_keys_only,
        // `config` has checked that it is one.
        poll: config.poll.schedule().unwrap_or_default(),
        poll_jitter_percent: config.poll.jitter_percent,
        xml: xml::Limits { depth: limits.xml_depth, attributes: limits.xml_attributes, events: limits.xml_events },
        reply_bytes: limits.reply_bytes,
        reply_commands: limits.reply_commands,
        objects: ObjectLimits { bytes: limits.object_bytes, parts: limits.object_chunks },
        device_object_bytes: limits.device_object_bytes,
        all_object_bytes: limits.all_object_bytes,
        session_timeout: Duration::minutes(i64::from(limits.session_timeout_minutes)),
        keep_alive_next_message: limits.next_message,
        status_page: status_page(&config.status_page),
        push: config.wns.is_on().then(|| push(&config.wns)),
        declared_configuration: config.experiments.declared_configuration,
        device_auth: device_auth(&config.device_auth),
        device_requests_per_minute: limits.device_requests_per_minute,
        ledger_rows_per_day: limits.ledger_rows_per_day,
        password_checks: PasswordChecks {
            user_burst: limits.password_failures,
            user_per_hour: limits.password_failures_per_hour,
            address_burst: limits.address_failures,
            address_per_hour: limits.address_failures_per_hour,
        },
        remember_password: Duration::minutes(5),
        disclosure: Arc::new(disclosure(&config.transcripts)),
        upload_bytes: limits.upload_bytes as u64,
        self_test: config.selftest.enabled,
        retention: Retention {
            transcripts_days: config.retention.transcripts_days,
            attempts_days: config.retention.attempts_days,
            events_days: config.retention.events_days,
            audit_days: config.retention.audit_days,
            commands_days: config.retention.commands_days,
            uploads_days: config.retention.uploads_days,
        },
    }
}

fn disclosure(transcripts: &Transcripts) -> Disclosure {
    let shown = match transcripts.values {
        config::ShownValues::Harmless => ShownValues::Harmless,
        config::ShownValues::Known => ShownValues::Known,
        config::ShownValues::All => ShownValues::All,
    };
    Disclosure { shown, secret_nodes: transcripts.secret_nodes.clone() }
}

fn push(wns: &Wns) -> PushSettings {
    let sid = wns.package_sid.strip_prefix("ms-app://").unwrap_or(&wns.package_sid);
    PushSettings {
        pfn: wns.pfn.clone(),
        client_id: format!("ms-app://{sid}"),
        client_secret: wns.client_secret.expose().into(),
        token_url: wns.token_url.url().clone(),
        channel_hosts: wns.channel_hosts.clone(),
    }
}

fn status_page(wanted: &StatusPage) -> Option<PageRules> {
    let choices = wanted.choices.iter().fold(0, |sum, choice| sum | choice.flag());
    let page = Page {
        timeout_minutes: wanted.timeout_minutes,
        choices,
        log_collection: wanted.log_collection,
        error_text: wanted.error_text.clone(),
    };
    wanted.enabled.then_some(PageRules { page, fails: wanted.on_failure == OnFailure::Show })
}

fn device_auth(wanted: &config::DeviceAuth) -> DeviceAuth {
    let window = Duration::minutes(i64::from(wanted.signing_minutes));
    DeviceAuth {
        message_signing: wanted.message_signing,
        signing_window: Some(window).filter(|window| window.is_positive()),
        digest: wanted.digest,
    }
}
