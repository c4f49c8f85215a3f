//go:build js && wasm

// Command nhooyr gives pages the browser Conn of nhooyr.io/websocket: what a Go program would do that does
// not mind the border.
package main

//lint:file-ignore SA1019 the module is marked deprecated for its change of name, not of substance

import (
	"context"
	"syscall/js"

	"nhooyr.io/websocket"
)

func main() {
	js.Global().Set("nhooyrConnect", js.FuncOf(func(_ js.Value, args []js.Value) any {
		go connect(args[0].String(), args[1], args[2])
		return nil
	}))
	select {}
}

// connect dials and calls open(send, close); each message is given to message.
func connect(url string, open, message js.Value) {
	ctx := context.Background()
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		panic(err)
	}
	conn.SetReadLimit(-1)
	send := js.FuncOf(func(_ js.Value, args []js.Value) any {
		kind, data := websocket.MessageText, []byte(nil)
		if args[0].Type() == js.TypeString {
			data = []byte(args[0].String())
		} else {
			kind = websocket.MessageBinary
			array := js.Global().Get("Uint8Array").New(args[0])
			data = make([]byte, array.Length())
			js.CopyBytesToGo(data, array)
		}
		if err := conn.Write(ctx, kind, data); err != nil { // in a browser it does not block
			panic(err)
		}
		return nil
	})
	closing := js.FuncOf(func(js.Value, []js.Value) any {
		go conn.Close(websocket.StatusNormalClosure, "")
		return nil
	})
	open.Invoke(send, closing)
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageText {
			message.Invoke(string(data))
			continue
		}
		array := js.Global().Get("Uint8Array").New(len(data))
		js.CopyBytesToJS(array, data)
		message.Invoke(array.Get("buffer"))
	}
}
