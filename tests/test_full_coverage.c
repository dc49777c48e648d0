/* test_full_coverage.c - as test_coverage.c, with the process counts from three to twenty, all kinds of noise, and
 * more runs of each. */
#include "simulated.h"

static const int counts[][2] = {{3, 20}, {4, 15}, {6, 10}, {6, 4}, {10, 6}, {20, 5}};
static const double memories[] = {0, 0.6}, effects[] = {0, 0.005, 0.02};
enum { N_COUNTS = 6, N_NOISES = 3, N_MEMORIES = 2, N_EFFECTS = 3 };

START_TEST(promises)
{
    int i = _i;
    const double effect = effects[i % N_EFFECTS], memory = memories[(i /= N_EFFECTS) % N_MEMORIES];
    const noise kind = (noise)((i /= N_MEMORIES) % N_NOISES);
    const int *count = counts[(i / N_NOISES) % N_COUNTS];
    static const char *const name[] = {"normal", "heavy tails", "spikes"};
    char text[80];
    snprintf(text, sizeof text, "%d x %d, %s, memory %g, effects %g", count[0], count[1], name[kind], memory, effect);
    check_promises(&(simulation){text, count[0], count[1], kind, memory, effect}, 4000);
}
END_TEST

int main(void)
{
    return simulated_run("coverage in full", promises, N_COUNTS * N_NOISES * N_MEMORIES * N_EFFECTS, NULL);
}
