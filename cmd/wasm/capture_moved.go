//go:build js && wasm && capture && moved

package main

const (
	padding16  = "moves all data. "
	padding64  = padding16 + padding16 + padding16 + padding16
	padding256 = padding64 + padding64 + padding64 + padding64
)

// move only has a string that lies before the other data, so that all of it is
// at other addresses than without. A word in memory that is the same with it and
// without it is a number, not an address.
//
//go:wasmexport move
func move(i int32) int32 { return int32(padding256[i]) }
