/* floor(a / b), b > 0. */
static int64_t fixed_floor_divide(int64_t a, int64_t b)
{
    const int64_t quotient = a / b;
    return a % b < 0 ? quotient - 1 : quotient;
}
