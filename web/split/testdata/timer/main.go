//go:build js && wasm

// A program that waits for a timer.
package main

import "time"

func main() {
	time.Sleep(time.Hour)
}
