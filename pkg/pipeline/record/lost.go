package record

// RekeyNext is what the operator does about a record under a key that is not at hand.
const RekeyNext = "add the key of that id behind the first one, run `metapipe rekey`, and run this again; where the key is gone, see docs/RECOVERY.md, \"A key or token has leaked\""
