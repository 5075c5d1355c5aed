(component (import "not-here" (instance)) (import "nor-here" (instance (export "x" (instance)))))
