//! NZCV and conditions: the host's flags are used as long as they say what the guest's do.

use super::emit::{Emitter, HostFlags, Values, PE, RAX, RCX};
use super::frame::FLAGS;
use super::values::{Loc, Reg};
use dynasmrt::{dynasm, DynamicLabel, DynasmApi, DynasmLabelApi};
use gdbhv_model::ir::{Node, C, V};
use gdbhv_model::isa::ops::{Cmp, W};

/// Condition codes of the host, as `jcc` numbers them; bit 0 inverts.
mod cc {
    pub const O: u8 = 0;
    pub const B: u8 = 2;
    pub const E: u8 = 4;
    pub const A: u8 = 7;
    pub const S: u8 = 8;
    pub const L: u8 = 12;
    pub const G: u8 = 15;
}

/// A condition, once it is worked out.
pub enum Test {
    /// It is known.
    Always(bool),
    /// The host's flags say it.
    Host(u8),
}

impl Emitter {
    pub(super) fn adds(&mut self, v: &Values, w: W, x: V, y: V, flags: bool) -> Loc {
        let y = self.reg(v, y, RCX);
        let d = self.copy_of(v, x);
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; add Rd(d), Rd(y)),
            W::X => dynasm!(self.a ; .arch x64 ; add Rq(d), Rq(y)),
        }
        self.host = HostFlags::Add;
        self.keep_flags(flags);
        Loc::Reg(d)
    }
    pub(super) fn subs(&mut self, v: &Values, w: W, x: V, y: V, flags: bool) -> Loc {
        let made = if v.last[v.now] as usize == v.now {
            self.compare(v, w, x, y);
            Loc::None
        } else {
            let y = self.reg(v, y, RCX);
            let d = self.copy_of(v, x);
            match w {
                W::W => dynasm!(self.a ; .arch x64 ; sub Rd(d), Rd(y)),
                W::X => dynasm!(self.a ; .arch x64 ; sub Rq(d), Rq(y)),
            }
            Loc::Reg(d)
        };
        self.host = HostFlags::Sub;
        self.keep_flags(flags);
        made
    }
    /// `cmp`.
    pub(super) fn compare(&mut self, v: &Values, w: W, x: V, y: V) {
        let x = self.reg(v, x, RAX);
        if let Some(c) = Self::immediate(v, w, y) {
            match w {
                W::W => dynasm!(self.a ; .arch x64 ; cmp Rd(x), c),
                W::X => dynasm!(self.a ; .arch x64 ; cmp Rq(x), c),
            }
            return;
        }
        let y = self.reg(v, y, RCX);
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; cmp Rd(x), Rd(y)),
            W::X => dynasm!(self.a ; .arch x64 ; cmp Rq(x), Rq(y)),
        }
    }
    pub(super) fn adc(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
        let y = self.reg(v, y, RCX);
        let d = self.copy_of(v, x);
        self.host = HostFlags::Nothing;
        let carry = FLAGS + 2;
        dynasm!(self.a ; .arch x64 ; movzx eax, BYTE [rbx + carry] ; add al, -1); // CF = C
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; adc Rd(d), Rd(y)),
            W::X => dynasm!(self.a ; .arch x64 ; adc Rq(d), Rq(y)),
        }
        d
    }
    /// Write NZCV from the host's flags.
    pub(super) fn keep_flags(&mut self, needed: bool) {
        if !needed {
            return;
        }
        self.setcc(cc::S, FLAGS);
        self.setcc(cc::E, FLAGS + 1);
        match self.host {
            HostFlags::Logic => {
                let at = FLAGS + 2;
                dynasm!(self.a ; .arch x64 ; mov WORD [rbx + at], 0);
                return;
            }
            HostFlags::Sub => self.setcc(cc::B ^ 1, FLAGS + 2),
            _ => self.setcc(cc::B, FLAGS + 2),
        }
        self.setcc(cc::O, FLAGS + 3);
    }
    /// `setcc [rbx + at]`.
    pub(super) fn setcc(&mut self, cc: u8, at: i32) {
        for b in [0x0f, 0x90 + cc, 0x80 | PE] {
            self.a.push(b);
        }
        self.a.push_i32(at);
    }
    pub(super) fn ccmp(&mut self, v: &Values, w: W, c: C, (x, y): (V, V), sub: bool, nzcv: u32) {
        let nzcv = nzcv as i32;
        let bytes = nzcv >> 3 & 1 | (nzcv >> 2 & 1) << 8 | (nzcv >> 1 & 1) << 16 | (nzcv & 1) << 24;
        let (constant, done) = (self.a.new_dynamic_label(), self.a.new_dynamic_label());
        match self.test(v, c) {
            Test::Always(true) => {}
            Test::Always(false) => dynasm!(self.a ; .arch x64 ; jmp =>constant),
            Test::Host(cc) => self.jcc(cc ^ 1, constant),
        }
        if sub {
            self.compare(v, w, x, y);
            self.host = HostFlags::Sub;
        } else {
            let y = self.reg(v, y, RCX);
            let x = self.reg(v, x, RAX);
            if x != RAX {
                dynasm!(self.a ; .arch x64 ; mov rax, Rq(x));
            }
            match w {
                W::W => dynasm!(self.a ; .arch x64 ; add eax, Rd(y)),
                W::X => dynasm!(self.a ; .arch x64 ; add rax, Rq(y)),
            }
            self.host = HostFlags::Add;
        }
        self.keep_flags(true);
        self.host = HostFlags::Nothing;
        dynasm!(self.a
            ; .arch x64 ; jmp =>done ; =>constant ; mov DWORD [rbx + FLAGS], bytes ; =>done);
    }
    pub(super) fn select(&mut self, v: &Values, c: C, x: V, y: V) -> Reg {
        match self.test(v, c) {
            Test::Always(true) => self.copy_of(v, x),
            Test::Always(false) => self.copy_of(v, y),
            Test::Host(cc) => {
                let x = self.reg(v, x, RCX);
                let d = self.copy_of(v, y);
                // cmovcc d, x
                let rex = 0x48 | (d >> 3) << 2 | x >> 3;
                for b in [rex, 0x0f, 0x40 + cc, 0xc0 | (d & 7) << 3 | x & 7] {
                    self.a.push(b);
                }
                d
            }
        }
    }

    /// Work a condition out.
    pub(super) fn test(&mut self, v: &Values, c: C) -> Test {
        match v.nodes[c.0 as usize] {
            Node::Cond(cond) => self.holds(cond),
            Node::CIs(c, want) => match self.test(v, c) {
                Test::Always(b) => Test::Always(b == want),
                Test::Host(cc) => Test::Host(cc ^ !want as u8),
            },
            Node::IsZero(w, x) => {
                let x = self.reg(v, x, RAX);
                match w {
                    W::W => dynasm!(self.a ; .arch x64 ; test Rd(x), Rd(x)),
                    W::X => dynasm!(self.a ; .arch x64 ; test Rq(x), Rq(x)),
                }
                self.host = HostFlags::Nothing;
                Test::Host(cc::E)
            }
            Node::BitClear(x, n) => {
                let x = self.reg(v, x, RAX);
                if n < 31 {
                    dynasm!(self.a ; .arch x64 ; test Rd(x), 1i32 << n);
                    self.host = HostFlags::Nothing;
                    return Test::Host(cc::E);
                }
                dynasm!(self.a ; .arch x64 ; bt Rq(x), n as i8);
                self.host = HostFlags::Nothing;
                Test::Host(cc::B ^ 1)
            }
            Node::Compare(how, w, x, y) => {
                self.compare(v, w, x, y);
                self.host = HostFlags::Nothing;
                Test::Host(match how {
                    Cmp::Eq => cc::E,
                    Cmp::Lt => cc::L,
                    Cmp::Lo => cc::B,
                })
            }
            other => unreachable!("{} is no condition", other.name()),
        }
    }
    /// Whether a condition of the guest's flags holds.
    pub(super) fn holds(&mut self, cond: u32) -> Test {
        let inverted = (cond & 1) as u8;
        let not = |cc: u8| Test::Host(cc ^ inverted);
        let (n, z, c, o) = (FLAGS, FLAGS + 1, FLAGS + 2, FLAGS + 3);
        match (cond >> 1 & 7, self.host) {
            (7, _) => return Test::Always(true),
            (_, HostFlags::Nothing) => {}
            (0, _) => return not(cc::E),
            (1, HostFlags::Sub) => return not(cc::B ^ 1),
            (1, _) => return not(cc::B), // Logic: the host's carry is clear
            (2, _) => return not(cc::S),
            (3, _) => return not(cc::O),
            (4, HostFlags::Sub) => return not(cc::A),
            (4, HostFlags::Logic) => return Test::Always(inverted != 0),
            (5, _) => return not(cc::L ^ 1),
            (6, _) => return not(cc::G),
            _ => {}
        }
        self.host = HostFlags::Nothing;
        let flag = |e: &mut Emitter, at: i32| {
            dynasm!(e.a ; .arch x64 ; cmp BYTE [rbx + at], 0);
            Test::Host(cc::E ^ 1 ^ inverted)
        };
        match cond >> 1 & 7 {
            0 => flag(self, z),
            1 => flag(self, c),
            2 => flag(self, n),
            3 => flag(self, o),
            4 => {
                dynasm!(self.a ; .arch x64 ; movzx eax, BYTE [rbx + c] ; cmp al, [rbx + z]);
                not(cc::A)
            }
            5 => {
                dynasm!(self.a ; .arch x64 ; movzx eax, BYTE [rbx + n] ; cmp al, [rbx + o]);
                not(cc::E)
            }
            _ => {
                dynasm!(self.a
                    ; .arch x64
                    ; movzx eax, BYTE [rbx + n]
                    ; xor al, [rbx + o]
                    ; or al, [rbx + z]
                );
                not(cc::E)
            }
        }
    }
    pub(super) fn jcc(&mut self, cc: u8, to: DynamicLabel) {
        match cc {
            0 => dynasm!(self.a ; .arch x64 ; jo =>to),
            1 => dynasm!(self.a ; .arch x64 ; jno =>to),
            2 => dynasm!(self.a ; .arch x64 ; jb =>to),
            3 => dynasm!(self.a ; .arch x64 ; jae =>to),
            4 => dynasm!(self.a ; .arch x64 ; je =>to),
            5 => dynasm!(self.a ; .arch x64 ; jne =>to),
            6 => dynasm!(self.a ; .arch x64 ; jbe =>to),
            7 => dynasm!(self.a ; .arch x64 ; ja =>to),
            8 => dynasm!(self.a ; .arch x64 ; js =>to),
            9 => dynasm!(self.a ; .arch x64 ; jns =>to),
            12 => dynasm!(self.a ; .arch x64 ; jl =>to),
            13 => dynasm!(self.a ; .arch x64 ; jge =>to),
            14 => dynasm!(self.a ; .arch x64 ; jle =>to),
            _ => dynasm!(self.a ; .arch x64 ; jg =>to),
        }
    }
}
