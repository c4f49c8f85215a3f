//go:build js && wasm

// A program that does not wait.
package main

func main() {}
