/* Shifts to the right are floors of divisions everywhere below; C99 lets a compiler choose. */
typedef char fixed_shifts_are_floors[-3 >> 1 == -2 ? 1 : -1];
