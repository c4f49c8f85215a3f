//go:build js && wasm

// A program that keeps a JavaScript value for which no page has a name.
package main

import (
	"runtime"
	"syscall/js"
)

//go:wasmexport settle
func settle() { runtime.GC(); runtime.Gosched() }

//go:wasmexport stretch
func stretch() {}

var kept js.Value

func main() {
	kept = js.Global().Get("Array").New()
	js.Global().Get("connectsocketBridge").Get("start").Invoke()
	select {}
}
