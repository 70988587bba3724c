// Takes the terminal over and fails with an error that nobody catches, for the test of what is left behind.
import { enterFullScreen } from '../../cli/full-screen.ts';

enterFullScreen(() => {}).draw(['a view']);
throw new Error('The view has failed.');
