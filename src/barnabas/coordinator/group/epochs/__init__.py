"""What consumer, share and streams groups have in common: epochs, a target assignment, and members on their
way to it. What is assigned, and how a member gets there, is each kind's own."""
