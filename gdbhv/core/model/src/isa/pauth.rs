//! Pointer authentication outside the hint space (FEAT_PAuth): decided, not implemented. No profile has the feature, so that all of
//! these are UNDEFINED. `k` is the key, A or B. What is in the hint space executes as hints do.

use crate::helper_rows;

helper_rows! {
    Undefined PACIA  "1101101011000001000000nnnnnddddd" PAuth undefined;
    Undefined PACIB  "1101101011000001000001nnnnnddddd" PAuth undefined;
    Undefined PACDA  "1101101011000001000010nnnnnddddd" PAuth undefined;
    Undefined PACDB  "1101101011000001000011nnnnnddddd" PAuth undefined;
    Undefined AUTIA  "1101101011000001000100nnnnnddddd" PAuth undefined;
    Undefined AUTIB  "1101101011000001000101nnnnnddddd" PAuth undefined;
    Undefined AUTDA  "1101101011000001000110nnnnnddddd" PAuth undefined;
    Undefined AUTDB  "1101101011000001000111nnnnnddddd" PAuth undefined;
    Undefined PACIZA "110110101100000100100011111ddddd" PAuth undefined;
    Undefined PACIZB "110110101100000100100111111ddddd" PAuth undefined;
    Undefined PACDZA "110110101100000100101011111ddddd" PAuth undefined;
    Undefined PACDZB "110110101100000100101111111ddddd" PAuth undefined;
    Undefined AUTIZA "110110101100000100110011111ddddd" PAuth undefined;
    Undefined AUTIZB "110110101100000100110111111ddddd" PAuth undefined;
    Undefined AUTDZA "110110101100000100111011111ddddd" PAuth undefined;
    Undefined AUTDZB "110110101100000100111111111ddddd" PAuth undefined;
    Undefined XPACI  "110110101100000101000011111ddddd" PAuth undefined;
    Undefined XPACD  "110110101100000101000111111ddddd" PAuth undefined;
    Undefined PACGA  "10011010110mmmmm001100nnnnnddddd" PAuth undefined;
    Undefined BRAZ   "110101100001111100001knnnnn11111" PAuth undefined;
    Undefined BLRAZ  "110101100011111100001knnnnn11111" PAuth undefined;
    Undefined RETA   "110101100101111100001k1111111111" PAuth undefined;
    Undefined ERETA  "110101101001111100001k1111111111" PAuth undefined;
    Undefined BRA    "110101110001111100001knnnnnmmmmm" PAuth undefined;
    Undefined BLRA   "110101110011111100001knnnnnmmmmm" PAuth undefined;
    Undefined LDRA   "11111000kS1iiiiiiiiiw1nnnnnttttt" PAuth undefined;
}
