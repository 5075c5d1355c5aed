(component (import "host-return-two" (instance (export "f" (func)))))
