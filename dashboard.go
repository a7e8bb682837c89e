package fanfare

// What the buttons of the operators' dashboard say. The last two are about a
// whole queue.
const (
	PressCancel  = "cancel"
	PressRun     = "run"
	PressArchive = "archive"
	PressDelete  = "delete"
	PressPause   = "pause"
	PressResume  = "resume"
)

// TaskArchived is the state of what was set aside, such as a failed job.
const TaskArchived = "archived"

// Press is a button of the operators' dashboard that somebody has pressed.
type Press struct {
	Verb  string // one of the above
	Queue string
	State string // of the tasks: active, pending, scheduled, retry, archived or completed
	Scope PressScope
	Tasks []Task // unless Scope says otherwise
}

// PressScope says what a button is about.
type PressScope int

// A button is about one task, several, all in a state, or the queue itself.
const (
	PressOne PressScope = iota
	PressBatch
	PressAll
	PressQueue
)

// Task is what the dashboard shows of a job: one dispatch of it.
type Task struct {
	ID       string // as the queue knows it
	JobID    string // "" where the id is none of ours
	Dispatch int
}

// Pressed is what came of a button, by the ids of tasks.
type Pressed struct {
	Done, Failed []string
	Message      string // says it all, in a sentence or two
}
