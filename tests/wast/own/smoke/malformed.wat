(component (this is not a component))
