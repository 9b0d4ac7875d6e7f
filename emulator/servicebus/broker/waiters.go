package broker

// Waiter stands for a receiver that waits for a message. Wake is called at most
// once for each time it found nothing; it must not block and must not call back.
type Waiter struct {
	Wake   func()
	queued bool
}

// waiters is a line of receivers, the first come the first served.
type waiters struct{ line []*Waiter }

func (w *waiters) add(x *Waiter) {
	if x != nil && !x.queued {
		x.queued = true
		w.line = append(w.line, x)
	}
}

func (w *waiters) wakeOne() {
	if len(w.line) == 0 {
		return
	}
	x := w.line[0]
	w.line[0] = nil
	w.line = w.line[1:]
	x.queued = false
	x.Wake()
}

func (w *waiters) remove(x *Waiter) {
	if !x.queued {
		return
	}
	x.queued = false
	for i := range w.line {
		if w.line[i] == x {
			w.line = append(w.line[:i], w.line[i+1:]...)
			return
		}
	}
}
