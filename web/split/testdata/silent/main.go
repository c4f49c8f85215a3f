//go:build js && wasm

// A program that waits without a word to the bridge.
package main

import "syscall/js"

func main() {
	f := js.FuncOf(func(js.Value, []js.Value) any { return nil })
	select {}
	f.Release()
}
