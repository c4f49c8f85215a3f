//go:build js && wasm && faulty

package main

// fault breaks the module from within, for tests of what a page sees then.
//
//go:wasmexport fault
func fault() { panic("fault") }

var hoard [][]byte

// exhaust takes memory until there is no more, which ends the module.
//
//go:wasmexport exhaust
func exhaust() {
	for {
		hoard = append(hoard, make([]byte, 16<<20))
	}
}
