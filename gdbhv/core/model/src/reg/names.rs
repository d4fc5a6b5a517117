//! All registers by name.

use super::row::Reg;

macro_rules! names {
    ($group:ident; $($name:ident $op0:literal $op1:literal $n:literal $m:literal $op2:literal $acc:ident $reset:literal
        [$($rule:ident)*] $store:ident $(($($arg:ident),*))? $(=> $e2h:ident)? $feat:ident $doc:literal $fields:expr;)*) => {
        $(#[doc = $doc] #[allow(non_upper_case_globals)] pub const $name: Reg = Reg::new($op0, $op1, $n, $m, $op2);)*
    };
}
super::id::table!(names);
super::el0::table!(names);
super::el1::table!(names);
super::el2::table!(names);
super::timer::table!(names);
super::gic::table!(names);
super::debug::table!(names);
super::pmu::table!(names);
