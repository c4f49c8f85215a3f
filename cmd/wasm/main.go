//go:build js && wasm

// Command wasm is the WebAssembly module: it registers the global
// connectSocket and waits.
package main

import "connectsocket/internal/jsbridge"

func main() {
	jsbridge.Start()
	select {}
}
