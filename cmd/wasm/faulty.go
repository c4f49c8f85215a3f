//go:build js && wasm && faulty

package main

// fault breaks the module from within, for tests of what a page sees then.
//
//go:wasmexport fault
func fault() { panic("fault") }
