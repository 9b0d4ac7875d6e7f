package workertest

import (
	"container/heap"
	"time"
)

// clock is virtual time: it jumps from one due function to the next.
type clock struct {
	now time.Time
	due agenda
	n   int // functions ever added: those due at the same time run in that order
}

// after runs do once d has passed.
func (c *clock) after(d time.Duration, do func()) { c.at(c.now.Add(d), do) }

// at runs do at t, or next if t is past.
func (c *clock) at(t time.Time, do func()) {
	if t.Before(c.now) {
		t = c.now
	}
	c.n++
	heap.Push(&c.due, item{at: t, n: c.n, do: do})
}

// step runs the next function. It returns false if there is none before the limit.
func (c *clock) step(limit time.Time) bool {
	if len(c.due) == 0 || c.due[0].at.After(limit) {
		return false
	}
	next := heap.Pop(&c.due).(item)
	c.now = next.at
	next.do()
	return true
}

type item struct {
	at time.Time
	n  int
	do func()
}

// agenda is a heap, earliest first.
type agenda []item

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if c := a[i].at.Compare(a[j].at); c != 0 {
		return c < 0
	}
	return a[i].n < a[j].n
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(item)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = item{}
	*a = (*a)[:last]
	return x
}
