//! Names, asked of the name servers of this machine or of one that is told.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use crate::doctor::{NameFailure, Names};

/// Who is asked about names.
pub struct Resolver(TokioResolver);

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl Resolver {
    /// The name servers of this machine, and its file of hosts.
    ///
    /// # Errors
    /// A sentence, when the machine names none.
    pub fn of_system() -> Result<Self, String> {
        let builder = TokioResolver::builder_tokio();
        let mut builder =
            builder.map_err(|error| format!("the name servers of this machine are not known: {error}"))?;
        let options = builder.options_mut();
        (options.timeout, options.attempts) = (PATIENCE, ATTEMPTS);
        builder.build().map(Self).map_err(|error| error.to_string())
    }

    /// One name server.
    ///
    /// # Errors
    /// A sentence, when nothing can be asked.
    pub fn asking(server: SocketAddr) -> Result<Self, String> {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        (options.timeout, options.attempts) = (PATIENCE, ATTEMPTS);
        options.use_hosts_file = ResolveHosts::Never;
        builder.build().map(Self).map_err(|error| error.to_string())
    }

    /// What a name leads to.
    pub async fn names(&self, host: &str) -> Names {
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Names::of_address(address);
        }
        let mut names = Names { host: host.to_owned(), ..Names::default() };
        let Ok(mut name) = Name::from_utf8(format!("{}.", host.trim_end_matches('.'))) else {
            names.failure = Some(NameFailure::NoAnswer("it is no name".to_owned()));
            return names;
        };
        let asked = name.clone();
        // Hop by hop, because an answer that ends in nothing does not always tell the way there.
        while names.aliases.len() < MOST_ALIASES {
            let Some(alias) = self.alias(&name).await else { break };
            names.aliases.push(alias.to_ascii().trim_end_matches('.').to_owned());
            name = alias;
        }
        let (four, six) = tokio::join!(self.addresses(&asked, RecordType::A), self.addresses(&asked, RecordType::AAAA));
        let failure = match (four, six) {
            (Ok(four), six) if !four.is_empty() => {
                names.addresses = four;
                names.addresses.extend(six.unwrap_or_default());
                return names;
            }
            (four, Ok(six)) if !six.is_empty() => {
                drop(four);
                names.addresses = six;
                return names;
            }
            (Ok(_), Ok(_)) => NameFailure::NoAddress,
            (Err(failure), _) | (_, Err(failure)) => failure,
        };
        names.failure = Some(failure);
        names
    }

    async fn alias(&self, name: &Name) -> Option<Name> {
        let found = self.0.lookup(name.clone(), RecordType::CNAME).await.ok()?;
        found.answers().iter().find_map(|record| match &record.data {
            RData::CNAME(alias) if record.name == *name => Some(alias.0.clone()),
            _ => None,
        })
    }

    async fn addresses(&self, name: &Name, kind: RecordType) -> Result<Vec<IpAddr>, NameFailure> {
        match self.0.lookup(name.clone(), kind).await {
            Ok(found) => Ok(found.answers().iter().filter_map(|record| record.data.ip_addr()).collect()),
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NXDomain => Err(NameFailure::NoSuchName),
                ResponseCode::NoError => Ok(Vec::new()),
                code => Err(NameFailure::NoAnswer(format!("it answers {code}"))),
            },
            Err(error) => Err(NameFailure::NoAnswer(error.to_string())),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(3);
const ATTEMPTS: usize = 2;
/// Longer chains are loops.
const MOST_ALIASES: usize = 8;
