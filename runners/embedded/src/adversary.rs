//! What stands between the guest and its sockets in the hostile host.

use crate::calls::Call;
use crate::errno::{Answer, Errno};
use crate::host::Host;
use crate::poll::{Subscription, Told};
use crate::transfer::Meddling;

#[derive(Debug)]
pub struct Adversary {}

impl Adversary {
    pub fn take_news(&mut self) -> Vec<String> {
        Vec::new()
    }
}

impl Host {
    /// Ends a guest that spins.
    pub fn limit(&self) -> Answer {
        Ok(())
    }

    pub fn meddle_with_call(&mut self, _: &'static Call, _: &[u64]) -> Answer {
        Ok(())
    }

    pub fn meddle(&mut self, _: u64, _: bool) -> Result<Meddling, Errno> {
        Ok(Meddling::default())
    }

    pub fn meddle_before_poll(&mut self, _: &[Subscription]) -> Option<Told> {
        None
    }

    pub fn meddle_after_poll(&mut self, _: &[Subscription], told: Told) -> Told {
        told
    }
}
