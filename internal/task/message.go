package task

// The rest of the errMsg texts, those of calls in call.go. Where two functions
// share a text, the host puts "sendSocketMessage:fail " and the like before it.
const (
	// NotOpen is why a send fails on a task that is not open.
	NotOpen = "SocketTask.readyState is not OPEN"
	// BadData is why a send fails whose data has the type that follows.
	BadData = "parameter error: parameter.data should be String or ArrayBuffer instead of "
	// NotConnected is why a global function fails that has no task.
	NotConnected = "WebSocket is not connected"
	// TimedOut is what onError tells of an attempt that took too long.
	TimedOut = "connectSocket:fail timeout"
	// BadAnswer is what onError tells where the relay answers out of turn.
	BadAnswer = "connectSocket:fail the relay's answer is not understood"
	// HeldTooMuch is what onError tells when messages came faster than a handler.
	HeldTooMuch = "connectSocket:fail too many messages without an onMessage handler, closed with 4008"
)
