(module (fun))
