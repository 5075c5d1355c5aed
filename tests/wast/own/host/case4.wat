(component (import "host-return-two" (instance)))
