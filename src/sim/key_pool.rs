//! Many device keys for little work: RSA keys combined from a pool of primes.
//!
//! A server refuses a key that another enrollment has, so each simulated device needs its own; making one takes a good
//! part of a second. `p` primes give `p(p-1)/2` keys, none of which is another. Such keys protect nothing: who has two of
//! them that share a prime has both, and who has the seed has all.

use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use num_bigint::BigUint;

use super::key::{DeviceKey, KeyError};

/// RSA keys of 2048 bits, numbered, the same for the same seed.
///
/// Primes are made when they are first needed. Callers with threads to spare let several of them
/// [`prepare`](Self::prepare) different primes at the same time.
#[derive(Debug)]
pub struct KeyPool {
    seed: String,
    primes: Box<[OnceLock<BigUint>]>,
}

impl KeyPool {
    /// Most keys that a pool gives.
    pub const MOST_KEYS: u32 = MOST_PRIMES * (MOST_PRIMES - 1) / 2;

    /// The pool of that seed; nothing is made yet.
    #[must_use]
    pub fn new(seed: &str) -> Self {
        Self { seed: seed.to_owned(), primes: (0..MOST_PRIMES).map(|_| OnceLock::new()).collect() }
    }

    /// How many primes the first so many keys need.
    #[must_use]
    pub fn primes_for(keys: u32) -> u32 {
        keys.checked_sub(1).map_or(0, |last| pair(last).1 + 1)
    }

    /// Makes the prime of that number, if it is not there yet. It takes some 50 ms.
    pub fn prepare(&self, number: u32) {
        let _ = self.prime(number);
    }

    /// The key of that number.
    ///
    /// # Errors
    ///
    /// [`KeyError`] for a number of [`Self::MOST_KEYS`] or more.
    pub fn key(&self, number: u32) -> Result<DeviceKey, KeyError> {
        let (low, high) = pair(number);
        let (one, other) = (self.prime(low).ok_or(KeyError)?, self.prime(high).ok_or(KeyError)?);
        combine(one.max(other), one.min(other))
    }

    fn prime(&self, number: u32) -> Option<&BigUint> {
        let slot = self.primes.get(usize::try_from(number).ok()?)?;
        Some(slot.get_or_init(|| find_prime(&self.seed, number)))
    }
}

/// The primes of a key: the pairs (0,1), (0,2), (1,2), (0,3), … in this order.
fn pair(number: u32) -> (u32, u32) {
    let number = u64::from(number);
    let mut high = (1 + 8 * number).isqrt().div_ceil(2);
    // The root is rounded down, so the triangle below is never above the number.
    let mut below = high * (high - 1) / 2;
    if below > number {
        high -= 1;
        below = high * (high - 1) / 2;
    }
    let (low, high) = (number - below, high);
    (u32::try_from(low).unwrap_or(u32::MAX), u32::try_from(high).unwrap_or(u32::MAX))
}

/// The key of two primes, `p` the larger.
fn combine(p: &BigUint, q: &BigUint) -> Result<DeviceKey, KeyError> {
    let one = BigUint::from(1u8);
    let e = BigUint::from(EXPONENT);
    let (p_1, q_1) = (p - &one, q - &one);
    let d = e.modinv(&(&p_1 * &q_1)).ok_or(KeyError)?;
    let q_inv = q.modinv(p).ok_or(KeyError)?;
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: (p * q).to_bytes_be(), e: e.to_bytes_be() },
        dP: (&d % &p_1).to_bytes_be(),
        dQ: (&d % &q_1).to_bytes_be(),
        d: d.to_bytes_be(),
        p: p.to_bytes_be(),
        q: q.to_bytes_be(),
        qInv: q_inv.to_bytes_be(),
    };
    KeyPair::from_components(&components).map(DeviceKey::new).map_err(|_| KeyError)
}

/// The first good prime at or after a number that the seed makes.
fn find_prime(seed: &str, number: u32) -> BigUint {
    let mut attempt = 0u32;
    loop {
        if let Some(prime) = prime_from(&start(seed, number, attempt)) {
            return prime;
        }
        attempt += 1;
    }
}

/// 1024 bits from the seed. The two highest are set, so that a product has 2048 bits, and it is odd.
fn start(seed: &str, number: u32, attempt: u32) -> BigUint {
    let blocks = (0..4u32).flat_map(|block| {
        let text = format!("prime\0{seed}\0{number}\0{attempt}\0{block}");
        digest(&SHA256, text.as_bytes()).as_ref().to_vec()
    });
    let mut start = BigUint::from_bytes_be(&blocks.collect::<Vec<u8>>());
    for bit in [0, PRIME_BITS - 1, PRIME_BITS - 2] {
        start.set_bit(bit, true);
    }
    start
}

/// The first prime among the odd numbers of a window, if there is one with which [`EXPONENT`] goes together.
fn prime_from(start: &BigUint) -> Option<BigUint> {
    let mut composite = vec![false; WINDOW];
    for &divisor in odd_primes() {
        let residue = (start % divisor).iter_u32_digits().next().unwrap_or_default();
        // start + 2k = 0 (mod divisor), solved for k: minus residue, halved.
        let negative = (divisor - residue) % divisor;
        let first = if negative.is_multiple_of(2) { negative / 2 } else { (negative + divisor) / 2 };
        for place in (first as usize..WINDOW).step_by(divisor as usize) {
            composite[place] = true;
        }
    }
    let candidates = composite.iter().enumerate().filter(|(_, composite)| !**composite);
    let mut candidates = candidates.map(|(place, _)| start + BigUint::from(2 * place));
    candidates.find(|candidate| {
        candidate.bits() == PRIME_BITS
            && candidate % EXPONENT != BigUint::from(1u8)
            && BASES.iter().all(|base| is_probable_prime(candidate, *base))
    })
}

/// Miller and Rabin's test of an odd number.
fn is_probable_prime(candidate: &BigUint, base: u32) -> bool {
    let one = BigUint::from(1u8);
    let minus_one = candidate - &one;
    let twos = minus_one.trailing_zeros().unwrap_or_default();
    let mut power = BigUint::from(base).modpow(&(&minus_one >> twos), candidate);
    if power == one || power == minus_one {
        return true;
    }
    for _ in 1..twos {
        power = power.modpow(&BigUint::from(2u8), candidate);
        if power == minus_one {
            return true;
        }
    }
    false
}

/// The odd primes that candidates are divided by first.
fn odd_primes() -> &'static [u32] {
    static PRIMES: OnceLock<Vec<u32>> = OnceLock::new();
    PRIMES.get_or_init(|| {
        let mut primes: Vec<u32> = Vec::new();
        for number in (3..LARGEST_DIVISOR).step_by(2) {
            if primes.iter().take_while(|prime| *prime * *prime <= number).all(|prime| number % prime != 0) {
                primes.push(number);
            }
        }
        primes
    })
}

const MOST_PRIMES: u32 = 2048;
const PRIME_BITS: u64 = 1024;
const EXPONENT: u32 = 65_537;
/// Odd numbers looked at from one start; a prime among them is nearly certain.
const WINDOW: usize = 4096;
const LARGEST_DIVISOR: u32 = 20_000;
/// Numbers of this size that nobody chose with intent and that pass once are prime but for a chance in 2^100 or so.
const BASES: [u32; 4] = [2, 3, 5, 7];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use x509_parser::prelude::FromDer;
    use x509_parser::x509::SubjectPublicKeyInfo;

    use super::*;

    #[test]
    fn no_pair_comes_twice() {
        let pairs: BTreeSet<(u32, u32)> = (0..5_000).map(pair).collect();
        assert_eq!(pairs.len(), 5_000);
        assert!(pairs.iter().all(|(low, high)| low < high));
        assert_eq!([pair(0), pair(1), pair(2), pair(3)], [(0, 1), (0, 2), (1, 2), (0, 3)]);
        assert_eq!(pair(KeyPool::MOST_KEYS - 1), (MOST_PRIMES - 2, MOST_PRIMES - 1));
        assert_eq!([0, 1, 2, 4, 1_000].map(KeyPool::primes_for), [0, 2, 3, 4, 46]);
    }

    #[test]
    fn keys_are_distinct_and_sign_and_come_again() {
        let pool = KeyPool::new("a");
        let keys: Vec<DeviceKey> = (0..6).map(|number| pool.key(number).unwrap()).collect();
        let public: BTreeSet<Vec<u8>> = keys.iter().map(DeviceKey::public_key).collect();
        assert_eq!(public.len(), 6, "four primes make six keys");
        for key in &keys {
            assert_eq!(key.bits(), 2048);
            let read = DeviceKey::from_pkcs8(&key.pkcs8()).unwrap();
            let spki = read.public_key();
            let (_, info) = SubjectPublicKeyInfo::from_der(&spki).unwrap();
            let verifier = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &info.subject_public_key.data);
            verifier.verify(b"message", &key.sign(b"message")).unwrap();
        }
        assert_eq!(KeyPool::new("a").key(0).unwrap().public_key(), keys[0].public_key());
        assert_ne!(KeyPool::new("b").key(0).unwrap().public_key(), keys[0].public_key());
        assert!(pool.key(KeyPool::MOST_KEYS).is_err());
    }

    #[test]
    fn what_is_composite_is_found_out() {
        assert!(is_probable_prime(&BigUint::from(1_000_003u32), 2));
        for composite in [561u32, 41_041, 825_265, 1_000_001] {
            assert!(!BASES.iter().all(|base| is_probable_prime(&BigUint::from(composite), *base)), "{composite}");
        }
    }
}
