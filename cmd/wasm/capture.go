//go:build js && wasm && capture

package main

import "runtime"

// settle lets go of all that nothing refers to any more, in Go and in
// JavaScript. It is called three times before the program is captured: a
// js.Value is given back by a finalizer, which runs after a collection, and
// what it kept alive is collected by the next one.
//
//go:wasmexport settle
func settle() {
	runtime.GC()
	runtime.Gosched()
}

// stretch grows the stack that exports run on, and the heap, before the program
// is captured: the runtime then needs the code for that only much later.
//
//go:wasmexport stretch
func stretch() {
	descend(64)
	spare = make([]byte, 3<<20) // what a page may use before the first collection
	spare = nil
}

var spare []byte

//go:noinline
func descend(n int) byte {
	var frame [512]byte
	if n > 0 {
		frame[n] = descend(n - 1)
	}
	return frame[n]
}
